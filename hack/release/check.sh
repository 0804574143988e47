#!/bin/bash
# Builds what is released twice: here, and in a copy of the commit at another place, with a
# module cache that has another name and without a build cache. Both must be equal in every octet,
# and lintian must find nothing in the packages.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
[ -z "$(git status --porcelain)" ] || echo "check: what is not committed is in the first build only" >&2

hack/release/build.sh "$work/here"
git clone -q . "$work/another place/clearspan"
ln -s "$(go env GOMODCACHE)" "$work/modules"
(cd "$work/another place/clearspan" && HOME=$work/home GOCACHE=$work/cache GOMODCACHE=$work/modules GOFLAGS= TZ=Asia/Tokyo LC_ALL=C.UTF-8 hack/release/build.sh "$work/there")

(cd "$work/here" && sha256sum --quiet -c SHA256SUMS)
diff "$work/here/SHA256SUMS" "$work/there/SHA256SUMS"
lintian --allow-root --fail-on warning "$work"/here/*.deb
for file in "$work"/here/*.rpm; do
	rpm -K --nosignature "$file"
done
cat "$work/here/SHA256SUMS"
