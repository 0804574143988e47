#!/bin/sh
# After the files are gone. Debian: remove, purge and others. rpm: the number of packages
# that stay.
set -e
case "$1" in
remove | purge | 0)
	[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
	;;
esac
[ "$1" = purge ] || exit 0

rm -rf /etc/systemd/system/clearspan.service.d/10-profile.conf /run/clearspan
rmdir /etc/systemd/system/clearspan.service.d 2>/dev/null || true
state=/var/lib/clearspan
[ -d $state ] || exit 0
# Clients trust this key: it is never deleted.
if [ -d $state/authority ]; then
	kept=/var/lib/clearspan-authority
	n=1
	while [ -e $kept ]; do
		kept=/var/lib/clearspan-authority.$n
		n=$((n + 1))
	done
	mv $state/authority $kept
	chown 0:0 $kept $kept/*
	chmod 0700 $kept
	echo "clearspan: the authority that clients trust is kept in $kept. To delete it: rm -r $kept" >&2
fi
echo "clearspan: deleting $state with captures, audit trail and what was learned" >&2
rm -rf $state
exit 0
