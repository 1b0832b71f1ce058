#!/bin/bash
# Real directory servers on loopback for the tests tagged "installed".
#
#   .ci/ldap-servers.sh start DIR     installs what is missing, starts slapd and Samba, writes DIR/env
#   .ci/ldap-servers.sh stop DIR      ends the processes that start noted in DIR, and no others
#
# For Debian 12 as root. Then:  set -a; . DIR/env; set +a; ./mvnw -Pinstalled -pl fetchers/ldap -am verify
set -eu

say() { printf 'ldap-servers: %s\n' "$*" >&2; }
usage() { say 'usage: ldap-servers.sh start|stop DIR'; exit 2; }

[ $# -eq 2 ] || usage
here=$(cd "$(dirname "$0")" && pwd)
. "$here/servers.sh"
action=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)

slapd_port=${SLAPD_PORT:-3389}
realm=CORP.EXAMPLE.TEST
base='DC=corp,DC=example,DC=test'
samba_password='Adm1n-Passw0rd'
namespace=elder-dc
dc_address=10.231.47.2

start_slapd() {
  install_packages slapd ldap-utils python3
  data=$dir/slapd
  rm -rf "$data" && mkdir -p "$data/db"
  cat >"$data/slapd.conf" <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $data/slapd.pid
database mdb
maxsize 1073741824
directory $data/db
suffix "dc=example,dc=com"
rootdn "cn=admin,dc=example,dc=com"
rootpw admin-secret
index objectClass eq
# An unpaged search ends at 500; pages may be 500 for the reader and 100 for the careful one; no limit on all pages together.
limits dn.exact="cn=reader,dc=example,dc=com" size.soft=500 size.hard=500 size.pr=500 size.prtotal=unlimited
limits dn.exact="cn=careful,dc=example,dc=com" size.soft=500 size.hard=500 size.pr=100 size.prtotal=unlimited
# Cut however one asks.
limits dn.exact="cn=limited,dc=example,dc=com" size.soft=500 size.hard=500 size.pr=500 size.prtotal=500
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
CONF
  python3 "$here/ldap-company.py" >"$data/company.ldif"
  /usr/sbin/slapadd -q -f "$data/slapd.conf" -l "$data/company.ldif"
  # In the foreground for slapd's sake (-d), so that the pid is the one noted here.
  setsid /usr/sbin/slapd -f "$data/slapd.conf" -h "ldap://127.0.0.1:$slapd_port" -d 0 >"$data/log" 2>&1 </dev/null &
  echo $! >"$dir/slapd.pid"
  await 30 slapd ldapsearch -x -H "ldap://127.0.0.1:$slapd_port" -b '' -s base || { tail -5 "$data/log" >&2; return 1; }
  cat >>"$dir/env" <<ENV
ELDER_TEST_SLAPD_SERVER=127.0.0.1
ELDER_TEST_SLAPD_PORT=$slapd_port
ELDER_TEST_SLAPD_BASE_DN=dc=example,dc=com
ELDER_TEST_SLAPD_PASSWORD=reader-secret
ELDER_TEST_SLAPD_DATA=$data
ENV
  say "slapd on 127.0.0.1:$slapd_port: 10,000 users, 800 groups, 120,000 memberships, 60 OUs"
}

in_namespace() { # the domain controller's ports are fixed: it gets a network of its own, joined by a veth pair
  ip netns exec "$namespace" "$@"
}

start_samba() {
  install_packages samba samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind ldb-tools python3 iproute2 ldap-utils
  data=$dir/samba
  rm -rf "$data" && mkdir -p "$data"
  address=127.0.0.1
  run=''
  interfaces=lo
  # What a run that was killed left behind.
  [ -n "$(ip netns pids "$namespace" 2>/dev/null)" ] || remove_namespace
  # Without the right to make a namespace the host's own loopback has to do.
  if ip netns add "$namespace" 2>"$data/netns.log"; then
    echo "$namespace" >"$dir/samba.netns"
    if ip link add elder-dc0 type veth peer name elder-dc1 2>>"$data/netns.log" \
      && ip link set elder-dc1 netns "$namespace" \
      && ip addr add 10.231.47.1/30 dev elder-dc0 && ip link set elder-dc0 up \
      && in_namespace ip addr add "$dc_address/30" dev elder-dc1 \
      && in_namespace ip link set elder-dc1 up && in_namespace ip link set lo up; then
      address=$dc_address
      run=in_namespace
      interfaces='lo elder-dc1'
    else
      remove_namespace
    fi
  fi
  [ -n "$run" ] || say "no network namespace ($(tail -1 "$data/netns.log")): Samba takes ports 389, 636, 88 and others of 127.0.0.1"
  mkdir -p "$data/run"
  samba-tool domain provision --server-role=dc --use-rfc2307 --dns-backend=SAMBA_INTERNAL \
    --realm="$realm" --domain=CORP --adminpass="$samba_password" --host-name=dc1 --host-ip="$address" \
    --targetdir="$data" >"$data/provision.log" 2>&1 || { tail -5 "$data/provision.log" >&2; return 1; }
  conf=$data/etc/smb.conf
  sed -i "/^\[global\]/a\\
\\tbind interfaces only = yes\\
\\tinterfaces = $interfaces\\
\\tserver services = rpc, ldap, cldap, kdc\\
\\tldap server require strong auth = no\\
\\tpid directory = $data/run\\
\\tncalrpc dir = $data/run/ncalrpc\\
\\twinbindd socket directory = $data/run/winbindd" "$conf"
  python3 "$here/ad-company.py" "$base" >"$data/company.ldif"
  samba-tool domain passwordsettings set --account-lockout-threshold=3 --configfile="$conf" >>"$data/provision.log" 2>&1
  ldbadd -H "$data/private/sam.ldb" --configfile="$conf" "$data/company.ldif" >"$data/ldbadd.log" 2>&1 \
    || { tail -5 "$data/ldbadd.log" >&2; return 1; }
  for user in alice dave lock mustchange expired; do
    samba-tool user setpassword "$user" --newpassword='Us3r-Passw0rd' --configfile="$conf" >>"$data/provision.log" 2>&1
  done
  for user in alice lock mustchange expired; do
    samba-tool user enable "$user" --configfile="$conf" >>"$data/provision.log" 2>&1
  done
  samba-tool user disable dave --configfile="$conf" >>"$data/provision.log" 2>&1
  samba-tool user setexpiry expired --days=-1 --configfile="$conf" >>"$data/provision.log" 2>&1
  samba-tool user setpassword mustchange --newpassword='Us3r-Passw0rd' --must-change-at-next-login --configfile="$conf" \
    >>"$data/provision.log" 2>&1
  if [ -n "$run" ]; then
    setsid ip netns exec "$namespace" samba -F -M single --no-process-group -s "$conf" >"$data/log" 2>&1 </dev/null &
  else
    setsid samba -F -M single --no-process-group -s "$conf" >"$data/log" 2>&1 </dev/null &
  fi
  echo $! >"$dir/samba.pid"
  await 60 'Samba AD DC' ldapsearch -x -H "ldap://$address" -b '' -s base || { tail -5 "$data/log" >&2; return 1; }
  # Its key is made at the start, which takes a while, and until then TLS is not answered.
  LDAPTLS_REQCERT=never await 300 'Samba AD DC over TLS' \
    ldapsearch -x -o nettimeout=10 -H "ldaps://$address" -b '' -s base || { tail -5 "$data/log" >&2; return 1; }
  cat >>"$dir/env" <<ENV
ELDER_TEST_AD_SERVER=$address
ELDER_TEST_AD_BASE_DN=$base
ELDER_TEST_AD_DOMAIN=corp.example.test
ELDER_TEST_AD_PASSWORD=Us3r-Passw0rd
ELDER_TEST_AD_ADMIN_PASSWORD=$samba_password
ELDER_TEST_AD_CA_FILE=$data/private/tls/ca.pem
ENV
  say "Samba AD DC on $address:389 and :636"
}

remove_namespace() {
  ip link del elder-dc0 2>/dev/null || true
  ip netns del "$namespace" 2>/dev/null || true
  rm -f "$dir/samba.netns"
}

end() { # end NAME: the process that start noted, with the group that it leads
  file=$dir/$1.pid
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

stop() {
  end slapd
  end samba
  [ ! -f "$dir/samba.netns" ] || remove_namespace
}

case $action in
  start)
    [ "$(id -u)" -eq 0 ] || { say 'start needs root'; exit 1; }
    stop
    : >"$dir/env"
    start_slapd || { say 'NO SLAPD: see above'; stop; exit 1; }
    # In a subshell: a domain controller that can not be had must not take slapd's tests with it.
    set +e
    ( set -e; start_samba )
    result=$?
    set -e
    if [ $result -ne 0 ]; then
      end samba
      [ ! -f "$dir/samba.netns" ] || remove_namespace
      sed -i '/^ELDER_TEST_AD_/d' "$dir/env"
      say '**************************************************************************'
      say '* NO SAMBA: the reason is above. THE ACTIVE DIRECTORY TESTS WILL BE SKIPPED'
      say '**************************************************************************'
    fi
    ;;
  stop) stop ;;
  *) usage ;;
esac
