#!/bin/sh
# Prints the version: that of the newest section of CHANGELOG.md. A commit that is not
# tagged as this version has its own name behind it, unless the first argument is
# "release".
set -eu
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)
[ -n "$version" ] || { echo "$0: CHANGELOG.md has no version" >&2; exit 1; }
if [ "${1:-}" != release ] && commit=$(git rev-parse --short=12 HEAD 2>/dev/null); then
	if [ "$(git describe --tags --exact-match 2>/dev/null)" != "v$version" ]; then
		version="$version+git.$commit"
	fi
	[ -z "$(git status --porcelain 2>/dev/null)" ] || version="$version.dirty"
fi
echo "$version"
