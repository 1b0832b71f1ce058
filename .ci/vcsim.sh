#!/bin/bash
# A vCenter of its own on loopback (vcsim, https://github.com/vmware/govmomi) for the tests tagged "installed".
#
#   .ci/vcsim.sh start DIR     builds it and govc with Go where they are not yet, starts it, adds its address to DIR/env
#   .ci/vcsim.sh stop DIR      ends the process that start noted in DIR, and no other
#
# Then:  set -a; . DIR/env; set +a; ./mvnw -Pinstalled -pl fetchers/vcenter -am -Dsurefire.failIfNoSpecifiedTests=false verify
set -eu

say() { printf 'vcsim: %s\n' "$*" >&2; }
usage() { say 'usage: vcsim.sh start|stop DIR'; exit 2; }

[ $# -eq 2 ] || usage
action=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
. "$(dirname "$0")/servers.sh"

# The last that go install takes: from v0.47 on vcsim is a module with a replace directive.
version=v0.46.3
port=${VCSIM_PORT:-8989}
password='elder&<test>-4711'
cache=${ELDER_CI_CACHE:-$HOME/.cache/elder-ci}/vcsim-$version

install_server() {
  [ ! -x "$cache/bin/govc" ] || return 0
  command -v go >/dev/null || { say 'no Go to build it with'; return 1; }
  say "building $version"
  mkdir -p "$cache"
  GOBIN=$cache/bin GOPATH=$cache/go GOFLAGS=-modcacherw go install \
    "github.com/vmware/govmomi/vcsim@$version" "github.com/vmware/govmomi/govc@$version" \
    >"$dir/vcsim-install.log" 2>&1 || { tail -5 "$dir/vcsim-install.log" >&2; return 1; }
  rm -rf "$cache/go"
}

start() {
  install_packages openssl curl
  install_server
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=vcenter.example.com \
    -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$dir/vcsim.key" -out "$dir/vcsim.crt" 2>/dev/null
  # 2 datacentres with 4 clusters of 3 hosts and a host on its own each: 10 resource pools of 50 machines.
  setsid "$cache/bin/vcsim" -l "127.0.0.1:$port" -tlscert "$dir/vcsim.crt" -tlskey "$dir/vcsim.key" \
    -username reader-of-tests -password "$password" \
    -dc 2 -cluster 4 -host 3 -standalone-host 1 -vm 50 -ds 3 -pg 3 -folder 1 -nsx 1 -autostart=true \
    >"$dir/vcsim.log" 2>&1 </dev/null &
  echo $! >"$dir/vcsim.pid"
  await 60 vcsim curl -sf --cacert "$dir/vcsim.crt" "https://127.0.0.1:$port/about" \
    || { tail -5 "$dir/vcsim.log" >&2; return 1; }
  cat >"$dir/env" <<ENV
ELDER_TEST_VCENTER_PORT=$port
ELDER_TEST_VCENTER_CA=$dir/vcsim.crt
ELDER_TEST_VCENTER_PASSWORD='$password'
ELDER_TEST_VCENTER_GOVC=$cache/bin/govc
ENV
  say "127.0.0.1:$port: 2 datacentres, 26 hosts, 500 machines"
}

stop() { # with the group that it leads
  file=$dir/vcsim.pid
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
    : >"$dir/env"
    if ! (set -e; start); then
      stop
      say '*************************************************************************'
      say '* NO VCSIM: the reason is above. ITS TESTS WILL BE SKIPPED'
      say '*************************************************************************'
    fi
    ;;
  stop) stop ;;
  *) usage ;;
esac
