#!/bin/bash
# Builds what is released: build.sh [--arch ARCH]... [--only tar|deb|rpm|sbom]... [--program
# FILE] [--version VERSION] DIRECTORY. Default: everything, for amd64 and arm64. --program takes
# a built program of this machine's architecture in place of a new one.
#
# The result depends on the commit and on the release of Go alone, not on the time, the
# place or the user.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
archs=() only=() program= version=
while [ $# -gt 1 ]; do
	case $1 in
	--arch) archs+=("$2") ;;
	--only) only+=("$2") ;;
	--program) program=$(realpath "$2") ;;
	--version) version=$2 ;;
	*) sed -n '2,4p' "$0" >&2; exit 2 ;;
	esac
	shift 2
done
[ $# -eq 1 ] || { sed -n '2,4p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(realpath "$1")
[ ${#archs[@]} -gt 0 ] || archs=(amd64 arm64)
[ ${#only[@]} -gt 0 ] || only=(tar deb rpm sbom)
wanted() { [[ " ${only[*]} " = *" $1 "* ]]; }

umask 022
export LC_ALL=C TZ=UTC CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOOS=linux
host=$(GOOS= go env GOHOSTARCH)
[ -n "$version" ] || version=$(hack/release/version.sh release)
revision=$(git rev-parse HEAD 2>/dev/null || true)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# tool NAME prints the path of a tool of this folder's module, which is built once a machine.
# It is the same wherever it is built: the SBOM names its hash.
tool() { GOOS= GOFLAGS="${GOFLAGS-} -trimpath" go tool -C "$root/hack/release" -n "$1"; }

# compile ARCH FILE builds the program, without a path or a random number in it.
compile() {
	if [ -n "$program" ] && [ "$1" = "$host" ]; then
		cp "$program" "$2"
	else
		GOARCH=$1 go build -trimpath -ldflags "-s -w -buildid= -X main.version=$version -X main.revision=$revision" -o "$2" ./appliance/cmd/clearspan
	fi
}

# notices prints the licenses of what the program is made of.
notices() {
	echo "clearspan is under the Apache License 2.0. It is made with these modules."
	printf '\n==== Go, https://go.dev\n\n'
	cat "$(go env GOROOT)/LICENSE"
	for arch in "${archs[@]}"; do
		GOARCH=$arch go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./appliance/cmd/clearspan
	done | sort -u | while read -r path release dir; do
		printf '\n==== %s %s\n' "$path" "$release"
		found=
		for file in "$dir"/LICENSE* "$dir"/LICENCE* "$dir"/COPYING* "$dir"/License* "$dir"/NOTICE*; do
			[ -f "$file" ] || continue
			printf '\n'
			cat "$file"
			found=yes
		done
		[ -n "$found" ] || { echo "$path has no license" >&2; exit 1; }
	done
}

# What is the same for all architectures. The program of this machine writes it.
common=$work/common
mkdir -p "$common"/{completions,doc,share,debian}
compile "$host" "$work/clearspan"
"$work/clearspan" deploy man "$common/man" >/dev/null
for shell in bash zsh fish; do
	"$work/clearspan" completion $shell >"$common/completions/clearspan.$shell"
done
cp README.md "$common/doc/README.md"
notices >"$work/NOTICES"
[ ! -d appliance/deploy/prometheus ] || cp -R appliance/deploy/prometheus "$common/share/"
[ ! -d appliance/deploy/grafana ] || cp -R appliance/deploy/grafana "$common/share/"
find "$common/share" \( -name '*.go' -o -name '*_test*' -o -name testdata \) -prune -exec rm -rf {} +
mkdir -p "$common/share/systemd"
cp appliance/deploy/systemd/*.conf "$common/share/systemd/"
cp appliance/config/example.yaml "$common/share/example.yaml"
cat >"$common/debian/copyright" <<END
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: clearspan
Source: https://github.com/clearspan/clearspan
Comment: The licenses of the modules that the program is made of are in notices.gz.

Files: *
Copyright: 2026 The clearspan authors
License: Apache-2.0
 On Debian systems, the text of the license is in
 /usr/share/common-licenses/Apache-2.0.
END
gzip -9nc >"$common/debian/changelog.Debian.gz" <<END
clearspan ($version-1) stable; urgency=medium

  * Release $version. changelog.gz in this directory tells what to do.

 -- clearspan maintainers <maintainers@clearspan.example>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END

# even gives all files of a directory one time and modes that do not depend on who builds.
even() {
	find "$1" -type d -exec chmod 755 {} +
	find "$1" -type f ! -perm -100 -exec chmod 644 {} +
	find "$1" -type f -perm -100 -exec chmod 755 {} +
	find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

for arch in "${archs[@]}"; do
	stage=$work/$arch
	cp -R "$common" "$stage"
	compile "$arch" "$stage/clearspan"
	if wanted tar; then
		name=clearspan-$version-linux-$arch
		mkdir -p "$work/tar/$name"
		cp -R "$stage"/{clearspan,man,completions,share} README.md CHANGELOG.md LICENSE "$work/NOTICES" appliance/deploy/package/clearspan.yaml "$work/tar/$name/"
		cp appliance/deploy/systemd/clearspan.service "$work/tar/$name/share/systemd/"
		even "$work/tar/$name"
		tar -C "$work/tar" --sort=name --owner=0 --group=0 --numeric-owner --format=ustar -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
	fi
	if wanted sbom; then
		sbom=$(tool cyclonedx-gomod)
		# Of the program itself, so that nothing is listed that is not in it.
		GOPROXY=off "$sbom" bin -json -output-version 1.6 -std -noserial -notimestamp -version "v$version" \
			-output "$work/sbom.json" "$stage/clearspan" 2>"$work/sbom.log" || { cat "$work/sbom.log" >&2; exit 1; }
		# Without the sums of the tool that wrote it, which depend on where that was built.
		sed '/^        "hashes": \[$/,/^        \],$/d' "$work/sbom.json" >"$out/clearspan-$version-linux-$arch.cdx.json"
	fi
	gzip -9nc CHANGELOG.md >"$stage/doc/changelog.gz"
	gzip -9nc "$work/NOTICES" >"$stage/doc/notices.gz"
	find "$stage/man" -type f -exec gzip -9n {} +
	even "$stage"
	for format in deb rpm; do
		wanted $format || continue
		nfpm=$(tool nfpm)
		(cd appliance/deploy/package && ARCH=$arch VERSION=$version STAGE=$stage "$nfpm" package --config nfpm.yaml --packager $format --target "$out/") >"$work/nfpm.log" 2>&1 || { cat "$work/nfpm.log" >&2; exit 1; }
	done
done
(cd "$out" && sha256sum -- clearspan[-_]* >SHA256SUMS)
