#!/bin/sh
# Installs the Debian packages whose programs the lab runs: hack/packages.sh
# [--list] [demo|test|bench ...]. Default: test, which includes demo. Does
# nothing if all are there. Starts no service.
set -eu

demo="nginx-light postfix swaks libnet-ssleay-perl curl tshark tcpdump"
test="$demo libio-socket-inet6-perl bpftool chromium libnss3-tools tcpflow chaosreader dovecot-imapd dovecot-pop3d openssl netcat-openbsd nftables iproute2 softhsm2 gcc libc6-dev clang-14 llvm-14 libbpf-dev c-icap libc-icap-mod-virus-scan"
bench="haproxy sslsplit"

list=no
[ "${1:-}" != --list ] || { list=yes; shift; }
[ $# -gt 0 ] || set -- test

wanted=
for purpose; do
	case $purpose in
	demo) wanted="$wanted $demo" ;;
	test) wanted="$wanted $test" ;;
	bench) wanted="$wanted $bench" ;;
	*) echo "usage: $0 [--list] [demo|test|bench ...]" >&2; exit 2 ;;
	esac
done
[ $list = no ] || { printf '%s\n' $wanted; exit; }

missing=
for package in $wanted; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
	[ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "clearspan: the lab ($*) runs real servers, clients and recorders in network namespaces."
echo "clearspan: installing with apt-get, no service is started:$missing"

root=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || { echo "$0: needs root, and there is no sudo" >&2; exit 1; }
	root=sudo
fi

# invoke-rc.d asks policy-rc.d: 101 forbids to start a service. An existing
# policy is the machine's own and stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null
	$root chmod 755 $policy
	trap '$root rm -f $policy' EXIT
	trap 'exit 1' INT TERM
fi

apt() { $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@"; }
apt update
apt install --no-install-recommends -y $missing

# Nor is one started at the next boot.
command -v systemctl >/dev/null || exit 0
for package in $missing; do
	case $package in
	nginx-light) service=nginx ;;
	dovecot-imapd) service="dovecot.service dovecot.socket" ;;
	libc-icap-mod-virus-scan) service=clamav-freshclam ;;
	postfix | haproxy | c-icap) service=$package ;;
	*) continue ;;
	esac
	$root systemctl --quiet disable $service 2>/dev/null || true
done
