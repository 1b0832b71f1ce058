#!/bin/bash
# An Okta of its own on loopback (https://www.npmjs.com/package/emulate) for the tests tagged "installed".
#
#   .ci/emulate.sh start DIR     installs it with npm where it is not yet, starts it twice, with an org and with next to
#                                nothing, and adds the addresses to DIR/env
#   .ci/emulate.sh stop DIR      ends the processes that start noted in DIR, and no others
#
# Then:  set -a; . DIR/env; set +a
#        ./mvnw -Pinstalled -pl fetchers/okta,embedded -am -Dsurefire.failIfNoSpecifiedTests=false verify
set -eu

say() { printf 'emulate: %s\n' "$*" >&2; }
usage() { say 'usage: emulate.sh start|stop DIR'; exit 2; }

[ $# -eq 2 ] || usage
action=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
. "$here/servers.sh"

# The newest that Node 20 starts. "latest" is another program, which had the name before.
version=0.11.2
port=${EMULATE_PORT:-4010}
cache=${ELDER_CI_CACHE:-$HOME/.cache/elder-ci}/emulate-$version

install_server() {
  command -v node >/dev/null || install_packages nodejs
  [ ! -f "$cache/node_modules/emulate/dist/index.js" ] || return 0
  command -v npm >/dev/null || install_packages npm
  say "installing $version"
  mkdir -p "$cache"
  npm install --prefix "$cache" --no-audit --no-fund --ignore-scripts "emulate@$version" >"$dir/npm.log" 2>&1 \
    || { tail -5 "$dir/npm.log" >&2; return 1; }
}

serve() { # serve NAME PORT [OPTION...]
  name=$1; at=$2; shift 2
  setsid node "$cache/node_modules/emulate/dist/index.js" start --service okta -p "$at" "$@" \
    >"$dir/$name.log" 2>&1 </dev/null &
  echo $! >"$dir/$name.pid"
  await 120 "$name" curl -sf -H 'Authorization: SSWS test' "http://127.0.0.1:$at/api/v1/users?limit=1" \
    || { tail -5 "$dir/$name.log" >&2; return 1; }
}

start() {
  install_server
  seed=$dir/okta-org.json
  node "$here/okta-org.js" >"$seed"
  echo 'okta: {}' >"$dir/empty.yaml"
  serve emulate "$port" --seed "$seed"
  serve emulate-empty "$((port + 1))" --seed "$dir/empty.yaml"
  cat >>"$dir/env" <<ENV
ELDER_TEST_OKTA_URL=http://127.0.0.1:$port
ELDER_TEST_OKTA_ORG=$seed
ELDER_TEST_OKTA_EMPTY_URL=http://127.0.0.1:$((port + 1))
ENV
  say "127.0.0.1:$port: an org of Okta's; 127.0.0.1:$((port + 1)): an empty one"
}

stop() { # with the groups that they lead
  for file in "$dir/emulate.pid" "$dir/emulate-empty.pid"; do
    [ -f "$file" ] || continue
    pid=$(cat "$file")
    kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
    for _ in $(seq 50); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
    rm -f "$file"
  done
}

case $action in
  start)
    stop
    if ! (set -e; start); then
      stop
      : >>"$dir/env"
      say '*************************************************************************'
      say '* NO EMULATE: the reason is above. THE TESTS OF OKTA WILL BE SKIPPED'
      say '*************************************************************************'
    fi
    ;;
  stop) stop ;;
  *) usage ;;
esac
