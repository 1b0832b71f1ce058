#!/bin/bash
# An LXD of its own on loopback (Debian's) for the tests tagged "installed".
#
#   .ci/lxd.sh start DIR     installs what is missing, starts it, makes projects and instances, adds its address to DIR/env
#   .ci/lxd.sh stop DIR      ends the daemon that start noted in DIR, and no other, and takes away what it has mounted
#
# For Debian 12 as root. Then:
#   set -a; . DIR/env; set +a; ./mvnw -Pinstalled -pl fetchers/lxd -am -Dsurefire.failIfNoSpecifiedTests=false verify
# LXD needs to mount, so it does not come up everywhere: then this says so, and the tests are skipped.
set -eu

say() { printf 'lxd: %s\n' "$*" >&2; }
usage() { say 'usage: lxd.sh start|stop DIR'; exit 2; }

[ $# -eq 2 ] || usage
action=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
. "$(dirname "$0")/servers.sh"

port=${LXD_TEST_PORT:-18443}
bridge=eldertest0
export LXD_DIR=$dir/lxd
# Where lxc keeps what it knows.
export LXD_CONF=$dir/lxc

certificate() { # certificate NAME KEYARGS...
  name=$1; shift
  openssl req -x509 -nodes -days 30 -subj "/CN=$name" "$@" -keyout "$dir/$name.key" -out "$dir/$name.crt" 2>/dev/null
}

populate() {
  lxd init --preseed <<PRESEED
config:
  core.https_address: 127.0.0.1:$port
storage_pools:
- {name: default, driver: dir}
profiles:
- name: default
  devices:
    root: {path: /, pool: default, type: disk}
projects:
- name: shop
  config: {features.images: "true", features.networks: "false", features.profiles: "false"}
- name: empty
  config: {features.images: "false", features.networks: "false", features.profiles: "false"}
PRESEED
  # It leads nowhere, without a firewall; LXD asks dnsmasq for its version all the same.
  lxc network create "$bridge" ipv4.address=none ipv6.address=none ipv4.nat=false ipv4.firewall=false ipv6.firewall=false || return 1
  lxc profile device add default eth0 nic network="$bridge" name=eth0 || return 1
  # The smallest image there is.
  mkdir -p "$dir/image/rootfs"
  printf 'architecture: x86_64\ncreation_date: 1767571200\nproperties: {os: Nothing, release: none, description: Nothing at all}\n' \
    >"$dir/image/metadata.yaml"
  tar -C "$dir/image" -czf "$dir/image.tar.gz" metadata.yaml rootfs
  lxc image import "$dir/image.tar.gz" --alias nothing
  lxc image import "$dir/image.tar.gz" --alias nothing --project shop
  for i in $(seq 12); do lxc init --empty "web-$i" </dev/null; done
  for i in $(seq 12); do lxc init --empty "web-$i" --project shop </dev/null; done
  lxc init nothing from-image -c limits.cpu=2 -c limits.memory=1GiB -c user.password=canary-4711 </dev/null
}

start() {
  install_packages lxd lxd-client dnsmasq-base openssl || return 1
  mkdir -p "$LXD_DIR"
  setsid lxd --group root --logfile "$dir/lxd.log" >"$dir/lxd.out" 2>&1 </dev/null &
  echo $! >"$dir/lxd.pid"
  await 60 lxd lxc query /1.0 || { tail -5 "$dir/lxd.out" >&2; return 1; }
  populate >"$dir/populate.log" 2>&1 || { tail -5 "$dir/populate.log" >&2; return 1; }
  certificate trusted -newkey ec -pkeyopt ec_paramgen_curve:P-384
  # As lxc writes its own: SEC 1.
  openssl ec -in "$dir/trusted.key" -out "$dir/trusted.sec1.key" 2>/dev/null
  certificate newcomer -newkey rsa:2048
  lxc config trust add "$dir/trusted.crt" --name trusted >>"$dir/populate.log" 2>&1
  cat >"$dir/env" <<ENV
ELDER_TEST_LXD_URL=https://127.0.0.1:$port
ELDER_TEST_LXD_FOLDER=$dir
ENV
  say "127.0.0.1:$port: LXD $(lxc query /1.0 | sed -n 's/.*"server_version": "\(.*\)".*/\1/p'), 3 projects, 25 instances"
}

stop() {
  [ -f "$dir/lxd.pid" ] || return 0
  pid=$(cat "$dir/lxd.pid")
  if [ -d "/proc/$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q '^lxd '; then
    # A bridge would outlive the daemon.
    for project in default shop; do
      for each in $(timeout 20 lxc list --project "$project" --format csv -c n 2>/dev/null); do
        timeout 20 lxc delete --force "$each" --project "$project" >/dev/null 2>&1 || true
      done
    done
    timeout 20 lxc profile device remove default eth0 >/dev/null 2>&1 || true
    timeout 20 lxc network delete "$bridge" >/dev/null 2>&1 || true
    kill -TERM "$pid" 2>/dev/null || true
    for _ in $(seq 100); do [ -d "/proc/$pid" ] || break; sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -f "$dir/lxd.pid"
  # Of the deepest first.
  awk '{print $5}' /proc/self/mountinfo | grep "^$LXD_DIR/" | sort -r | while read -r mount; do umount -l "$mount" || true; done
}

case $action in
  start)
    stop
    : >"$dir/env"
    if ! (set -e; start); then
      stop
      say '*************************************************************************'
      say '* NO LXD ON THIS MACHINE: the reason is above. ITS TESTS WILL BE SKIPPED'
      say '*************************************************************************'
    fi
    ;;
  stop) stop ;;
  *) usage ;;
esac
