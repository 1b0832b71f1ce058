#!/usr/bin/env bash
# Lays the built modules out in a folder that needs neither Maven nor sources: deploy/lay-out.sh DIR
set -euo pipefail
out=${1:?usage: deploy/lay-out.sh DIR}
home=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$out/lib/jars"
cp "$home/elder" "$out/elder"
providers=$(cd "$home" && grep -l . fetchers/*/src/main/resources/META-INF/services/io.elder.fetch.Provider | cut -d/ -f1,2)
for module in cdc fetchers/scheduler $providers normalizer sink writeback console; do
  mkdir -p "$out/lib/$(dirname "$module")"
  { ls "$home/$module"/target/*-SNAPSHOT.jar; tr ':' '\n' <"$home/$module/target/dependencies"; echo; } | while read -r jar; do
    [ -n "$jar" ] || continue
    # Two modules of ours may share an artifact name with nobody: names are unique across the classpaths.
    cp -n "$jar" "$out/lib/jars/" 2>/dev/null || true
    echo "@HOME@/lib/jars/$(basename "$jar")"
  done >"$out/lib/$module.classpath"
done
