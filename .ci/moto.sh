#!/bin/bash
# moto, a simulator of AWS, on loopback for the tests tagged "installed".
#
#   .ci/moto.sh start DIR     installs moto into a virtual environment, starts and seeds it, adds to DIR/env
#   .ci/moto.sh stop DIR      ends the process that start noted in DIR, and no other
#
# Needs python3 with venv. Then:  set -a; . DIR/env; set +a; ./mvnw -Pinstalled -pl fetchers/aws -am verify
set -eu

say() { printf 'moto: %s\n' "$*" >&2; }
usage() { say 'usage: moto.sh start|stop DIR'; exit 2; }

[ $# -eq 2 ] || usage
here=$(cd "$(dirname "$0")" && pwd)
. "$here/servers.sh"
action=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)

port=${MOTO_PORT:-3599}
# Kept between runs: the packages are 100 MB.
venv=${MOTO_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/elder-worker/moto-5.2.5}

install() {
  [ -x "$venv/bin/moto_server" ] && return 0
  say "installing moto 5.2.5 into $venv"
  if ! python3 -m venv "$venv" >"$dir/venv.log" 2>&1; then
    # Debian packs venv apart from Python.
    install_packages python3-venv || return 1
    python3 -m venv "$venv" >>"$dir/venv.log" 2>&1 || { tail -5 "$dir/venv.log" >&2; return 1; }
  fi
  "$venv/bin/pip" install -q 'moto[server]==5.2.5' boto3 >>"$dir/venv.log" 2>&1 || { tail -5 "$dir/venv.log" >&2; rm -rf "$venv"; return 1; }
}

stop() {
  file=$dir/moto.pid
  [ -f "$file" ] || return 0
  pid=$(cat "$file")
  kill -TERM "$pid" 2>/dev/null || true
  for _ in $(seq 50); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || true
  rm -f "$file"
}

start() {
  stop
  install
  setsid "$venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$dir/moto.log" 2>&1 </dev/null &
  echo $! >"$dir/moto.pid"
  await 60 moto bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" || { tail -5 "$dir/moto.log" >&2; return 1; }
  "$venv/bin/python" "$here/moto-estate.py" "http://127.0.0.1:$port" >"$dir/moto-estate.json" || return 1
  cat >>"$dir/env" <<ENV
ELDER_TEST_MOTO_URL=http://127.0.0.1:$port
ELDER_TEST_MOTO_ESTATE=$dir/moto-estate.json
ENV
  say "moto on 127.0.0.1:$port: 3 accounts, 4 regions, 5,000 instances, 130 databases, 260 functions"
}

case $action in
  start) start || { say 'NO MOTO: see above'; stop; exit 1; } ;;
  stop) stop ;;
  *) usage ;;
esac
