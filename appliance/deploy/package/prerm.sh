#!/bin/sh
# Before the files go. Debian: remove, or upgrade VERSION. rpm: the number of packages
# that stay. Wires stay as they are while a package does.
set -e
case "$1" in remove | 0) ;; *) exit 0 ;; esac

if [ -d /run/systemd/system ]; then
	systemctl disable --now --quiet clearspan.service || true
fi
for record in /run/clearspan/wire/*.json; do
	[ -e "$record" ] || continue
	wire=$(basename "$record" .json)
	echo "clearspan: taking wire $wire apart. Its two networks are no longer connected." >&2
	clearspan wire remove "$wire" || echo "clearspan: wire $wire is still there" >&2
done
exit 0
