# shellcheck shell=bash
# What the scripts beside this one share; sourced by them. They set dir, where logs go, and say, which tells a person.

install_packages() { # install_packages PACKAGE...
  missing=''
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  say "installing$missing"
  # Packages start their services when installed, unless this script forbids it.
  policy=/usr/sbin/policy-rc.d
  made_policy=no
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made_policy=yes
  fi
  result=0
  # shellcheck disable=SC2086
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } \
    >"$dir/apt.log" 2>&1 || result=$?
  [ "$made_policy" = no ] || rm -f "$policy"
  [ "$result" -eq 0 ] || { tail -20 "$dir/apt.log" >&2; return "$result"; }
}

await() { # await SECONDS WHAT COMMAND...
  deadline=$(($(date +%s) + $1)); what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$deadline" ] || { say "$what did not come up"; return 1; }
    sleep 0.3
  done
}
