#!/bin/bash
# Two real Kubernetes API servers over one etcd on loopback, for the tests tagged "installed".
#
#   .ci/kube-apiserver.sh build           builds kube-apiserver from Go modules; kept, so that this happens once
#   .ci/kube-apiserver.sh start DIR       installs what is missing, starts etcd and both servers, writes DIR/env
#   .ci/kube-apiserver.sh stop DIR        ends the processes that start noted in DIR, and no others
#
# For Debian 12 as root, with Go 1.24 or newer. No nodes and no controllers: objects stay as they are put. Then:
#   set -a; . DIR/env; set +a; ./mvnw -Pinstalled -pl fetchers/kubernetes -am verify
set -eu

say() { printf 'kube-apiserver: %s\n' "$*" >&2; }
usage() { say 'usage: kube-apiserver.sh build | start DIR | stop DIR'; exit 2; }

here=$(cd "$(dirname "$0")" && pwd)
. "$here/servers.sh"
module=$here/kube-apiserver
# What is built depends on these two files alone.
version=$(cat "$module/go.mod" "$module/main.go" | sha256sum | cut -c1-12)
cache=${KUBE_APISERVER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/elder-worker/kube-apiserver-$version}
etcd_port=${KUBE_ETCD_PORT:-23790}
first_port=${KUBE_APISERVER_PORT:-16443}

build() {
  [ ! -x "$cache/kube-apiserver" ] || return 0
  command -v go >/dev/null || { say 'go is not installed (expected: Go 1.24 or newer)'; return 1; }
  say "building kube-apiserver into $cache (about 6 minutes of two processors)"
  mkdir -p "$cache"
  (cd "$module" && CGO_ENABLED=0 go build -mod=mod -trimpath -ldflags '-s -w -X k8s.io/component-base/version.gitVersion=v1.33.13 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=33' -o "$cache/kube-apiserver.new" .)
  mv "$cache/kube-apiserver.new" "$cache/kube-apiserver"
}

start_server() { # start_server NAME PORT
  data=$dir/$1
  mkdir -p "$data"
  setsid "$cache/kube-apiserver" \
    --etcd-servers="http://127.0.0.1:$etcd_port" --etcd-prefix="/$1" \
    --bind-address=127.0.0.1 --secure-port="$2" --cert-dir="$data/certificates" \
    --service-cluster-ip-range=10.96.0.0/16 \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$dir/service-accounts.key" --service-account-signing-key-file="$dir/service-accounts.key" \
    --token-auth-file="$dir/tokens.csv" --authorization-mode=RBAC \
    --disable-admission-plugins=ServiceAccount --allow-privileged \
    >"$data/log" 2>&1 </dev/null &
  echo $! >"$dir/$1.pid"
}

is_ready() { curl -ksf -H 'Authorization: Bearer admin-token-of-the-tests' "https://127.0.0.1:$1/readyz"; }

start() {
  build
  install_packages etcd-server openssl curl
  rm -rf "$dir/etcd" "$dir/first" "$dir/second" "$dir/env"
  openssl genrsa -out "$dir/service-accounts.key" 2048 2>/dev/null
  cat >"$dir/tokens.csv" <<TOKENS
admin-token-of-the-tests,admin,admin,"system:masters"
reader-token-of-the-tests,reader,reader
limited-token-of-the-tests,limited,limited
stranger-token-of-the-tests,stranger,stranger
TOKENS
  # Nothing here has to survive a power cut.
  setsid /usr/bin/etcd --name tests --data-dir "$dir/etcd" --unsafe-no-fsync \
    --listen-client-urls "http://127.0.0.1:$etcd_port" --advertise-client-urls "http://127.0.0.1:$etcd_port" \
    --listen-peer-urls "http://127.0.0.1:$((etcd_port + 1))" --initial-advertise-peer-urls "http://127.0.0.1:$((etcd_port + 1))" \
    --initial-cluster "tests=http://127.0.0.1:$((etcd_port + 1))" >"$dir/etcd.log" 2>&1 </dev/null &
  echo $! >"$dir/etcd.pid"
  await 30 etcd curl -sf "http://127.0.0.1:$etcd_port/health" || { tail -5 "$dir/etcd.log" >&2; return 1; }
  start_server first "$first_port"
  start_server second "$((first_port + 1))"
  await 120 'the first kube-apiserver' is_ready "$first_port" || { tail -5 "$dir/first/log" >&2; return 1; }
  await 120 'the second kube-apiserver' is_ready "$((first_port + 1))" || { tail -5 "$dir/second/log" >&2; return 1; }
  cat >"$dir/env" <<ENV
ELDER_TEST_KUBERNETES_FIRST=https://127.0.0.1:$first_port
ELDER_TEST_KUBERNETES_FIRST_CA=$dir/first/certificates/apiserver.crt
ELDER_TEST_KUBERNETES_SECOND=https://127.0.0.1:$((first_port + 1))
ELDER_TEST_KUBERNETES_SECOND_CA=$dir/second/certificates/apiserver.crt
ELDER_TEST_KUBERNETES_ETCD=http://127.0.0.1:$etcd_port
ENV
  say "two API servers on 127.0.0.1:$first_port and $((first_port + 1))"
}

stop() {
  for name in first second etcd; do
    [ -f "$dir/$name.pid" ] || continue
    pid=$(cat "$dir/$name.pid")
    if [ -d "/proc/$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -e kube-apiserver -e etcd; then
      kill "$pid" 2>/dev/null || true
      for _ in $(seq 100); do [ -d "/proc/$pid" ] || break; sleep 0.1; done
      kill -9 "$pid" 2>/dev/null || true
    fi
    rm -f "$dir/$name.pid"
  done
}

case ${1:-} in
  build) [ $# -eq 1 ] || usage; build ;;
  start | stop)
    [ $# -eq 2 ] || usage
    mkdir -p "$2"
    dir=$(cd "$2" && pwd)
    "$1" ;;
  *) usage ;;
esac
