#!/bin/sh
# Installs the Debian packages of lab/packages.txt, whose programs the lab runs:
# hack/packages.sh [--list] [demo|record|test|bench ...]. Default: test, which
# includes demo and record. Does nothing if all are there. Starts no service.
set -eu

list=no
[ "${1:-}" != --list ] || { list=yes; shift; }
[ $# -gt 0 ] || set -- test

purposes=
for purpose; do
	case $purpose in
	demo | bench) purposes="$purposes $purpose" ;;
	record) purposes="$purposes demo record" ;;
	test) purposes="$purposes demo record test" ;;
	*) echo "usage: $0 [--list] [demo|record|test|bench ...]" >&2; exit 2 ;;
	esac
done

packages=$(dirname "$0")/lab/packages.txt
unpack_to=/var/lib/clearspan-lab
[ -r "$packages" ] || { echo "$0: cannot read $packages" >&2; exit 1; }

# come_by WAY prints the packages for the purposes that come in that way.
come_by() {
	sed 's/#.*//' "$packages" | while read -r package purpose program way; do
		case " $purposes " in *" $purpose "*) ;; *) continue ;; esac
		[ "${way:-install}" != "$1" ] || echo "$package"
	done
}

later=$(come_by backports)
wanted="$(come_by install) $later"
apart=$(come_by unpack)
[ $list = no ] || { printf '%s\n' $wanted $apart; exit; }

missing=
for package in $wanted; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
	[ "$state" = installed ] || missing="$missing $package"
done
for package in $apart; do
	[ -d $unpack_to/$package ] || unpack="${unpack:-} $package"
done
[ -n "$missing${unpack:-}" ] || exit 0

echo "clearspan: the lab ($*) runs real servers, clients and recorders in network namespaces."
[ -z "$missing" ] || echo "clearspan: installing with apt-get, no service is started:$missing"
[ -z "${unpack:-}" ] || echo "clearspan: unpacking into $unpack_to:$unpack"

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
for package in $later; do
	case " $missing " in *" $package "*) ;; *) continue ;; esac
	apt-cache policy "$package" | grep -q 'Candidate: [^(]' || backported="${backported:-} $package"
done
for package in $missing; do
	case " ${backported:-} " in *" $package "*) ;; *) available="${available:-} $package" ;; esac
done
[ -z "${available:-}" ] || apt install --no-install-recommends -y $available

# Backports come from where the release does. The machine's own sources stay as
# they are.
if [ -n "${backported:-}" ]; then
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	site=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Codename: $release" | head -n 1)
	work=$(mktemp -d)
	chmod 755 "$work"
	mkdir -p "$work/lists/partial"
	{ cat /etc/apt/sources.list 2>/dev/null || :; echo "deb $site $release-backports main"; } >"$work/sources.list"
	late() {
		apt -o Dir::Etc::SourceList="$work/sources.list" -o Dir::State::Lists="$work/lists" \
			-o Dir::Cache::PkgCache= -o Dir::Cache::SrcPkgCache= "$@"
	}
	late update && late install --no-install-recommends -y -t "$release-backports" $backported ||
		echo "clearspan: not to be had from the backports of $release, and left out with its tests:$backported" >&2
	$root rm -rf "$work"
fi

for package in ${unpack:-}; do
	$root rm -rf $unpack_to/.$package
	$root mkdir -p $unpack_to/.$package
	(cd $unpack_to/.$package && $root apt-get -qq download "$package" && $root dpkg-deb -x "$package"_*.deb . && $root rm "$package"_*.deb)
	$root chmod -R u-s $unpack_to/.$package
	$root mv $unpack_to/.$package $unpack_to/$package
done

# Nor is one started at the next boot.
command -v systemctl >/dev/null || exit 0
for package in $missing; do
	case $package in
	nginx-light) service=nginx ;;
	samba) service="smbd nmbd samba-ad-dc" ;;
	dovecot-imapd) service="dovecot.service dovecot.socket" ;;
	libc-icap-mod-virus-scan) service=clamav-freshclam ;;
	postfix | haproxy | postgresql | slapd | prosody | vsftpd | c-icap | suricata | rsyslog | clickhouse-server) service=$package ;;
	*) continue ;;
	esac
	$root systemctl --quiet disable $service 2>/dev/null || true
done
