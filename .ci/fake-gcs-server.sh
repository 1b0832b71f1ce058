#!/bin/bash
# A Cloud Storage of its own on loopback (https://github.com/fsouza/fake-gcs-server) for the tests tagged "installed".
#
#   .ci/fake-gcs-server.sh start DIR     builds it with Go where it is not yet, starts it, adds its address to DIR/env
#   .ci/fake-gcs-server.sh stop DIR      ends the process that start noted in DIR, and no other
#
# Then:  set -a; . DIR/env; set +a; ./mvnw -Pinstalled -pl fetchers/gcp -am -Dsurefire.failIfNoSpecifiedTests=false verify
set -eu

say() { printf 'fake-gcs-server: %s\n' "$*" >&2; }
usage() { say 'usage: fake-gcs-server.sh start|stop DIR'; exit 2; }

[ $# -eq 2 ] || usage
action=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
. "$(dirname "$0")/servers.sh"

version=v1.52.2
port=${FAKE_GCS_PORT:-4443}
buckets=250
cache=${ELDER_CI_CACHE:-$HOME/.cache/elder-ci}/fake-gcs-server-$version

install_server() {
  [ ! -x "$cache/bin/fake-gcs-server" ] || return 0
  command -v go >/dev/null || { say 'no Go to build it with'; return 1; }
  say "building $version"
  mkdir -p "$cache"
  GOBIN=$cache/bin GOPATH=$cache/go GOFLAGS=-modcacherw go install "github.com/fsouza/fake-gcs-server@$version" \
    >"$dir/fake-gcs-install.log" 2>&1 || { tail -5 "$dir/fake-gcs-install.log" >&2; return 1; }
  rm -rf "$cache/go"
}

start() {
  install_server
  data=$dir/fake-gcs
  rm -rf "$data" && mkdir -p "$data"
  # A folder is a bucket.
  for i in $(seq "$buckets"); do mkdir "$data/$(printf 'bucket-%04d' "$i")"; done
  setsid "$cache/bin/fake-gcs-server" -scheme http -host 127.0.0.1 -port "$port" -backend memory -data "$data" \
    >"$dir/fake-gcs.log" 2>&1 </dev/null &
  echo $! >"$dir/fake-gcs.pid"
  await 30 fake-gcs-server curl -sf "http://127.0.0.1:$port/storage/v1/b?project=my-project-123" \
    || { tail -5 "$dir/fake-gcs.log" >&2; return 1; }
  cat >>"$dir/env" <<ENV
ELDER_TEST_GCS_URL=http://127.0.0.1:$port
ELDER_TEST_GCS_BUCKETS=$buckets
ENV
  say "127.0.0.1:$port: $buckets buckets"
}

stop() { # with the group that it leads
  file=$dir/fake-gcs.pid
  [ -f "$file" ] || return 0
  pid=$(cat "$file")
  kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
  for _ in $(seq 50); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
  rm -f "$file"
}

case $action in
  start)
    stop
    if ! (set -e; start); then
      stop
      say '*************************************************************************'
      say '* NO FAKE-GCS-SERVER: the reason is above. ITS TESTS WILL BE SKIPPED'
      say '*************************************************************************'
    fi
    ;;
  stop) stop ;;
  *) usage ;;
esac
