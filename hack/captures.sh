#!/bin/sh
# Puts captures that other projects test with into /var/lib/clearspan-lab/captures: those in
# the Debian source packages of tcpdump, Wireshark, tcpflow and nDPI, 180 MB to fetch. Does
# nothing if they are there. The machine's sources of packages stay as they are.
set -eu

to=/var/lib/clearspan-lab/captures
packages="tcpdump wireshark tcpflow ndpi"

[ ! -d $to ] || exit 0
echo "clearspan: fetching with apt-get, for their captures, the sources of: $packages"
root=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || { echo "$0: needs root, and there is no sudo" >&2; exit 1; }
	root=sudo
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
chmod 755 "$work"
mkdir -p "$work/lists/partial" "$work/fetched" "$work/captures"
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
site=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Codename: $release" | head -n 1)
echo "deb-src $site $release main" >"$work/sources.list"
apt() {
	$root apt-get -qq -o DPkg::Lock::Timeout=120 -o APT::Sandbox::User=root -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- \
		-o Dir::State::Lists="$work/lists" -o Dir::Cache::PkgCache= -o Dir::Cache::SrcPkgCache= "$@"
}
apt update
cd "$work/fetched"
for package in $packages; do
	apt source --download-only --tar-only "$package" || { echo "$0: the sources of $package are not to be had" >&2; continue; }
	mkdir "$work/captures/$package"
	for archive in "${package}"_*.orig.tar.*; do
		case $archive in *.asc) continue ;; esac
		tar -xf "$archive" -C "$work/captures/$package" --strip-components=1 --no-same-owner --wildcards \
			'*.pcap' '*.pcapng' '*.cap' '*.ntar' '*.pcap.gz' '*.pcapng.gz' 2>/dev/null || : # not all have files of all kinds
	done
done
[ -n "$(find "$work/captures" -type f | head -n 1)" ] || { echo "$0: no capture was found" >&2; exit 1; }
$root mkdir -p "$(dirname $to)"
$root cp -r "$work/captures" $to.part
$root mv $to.part $to
