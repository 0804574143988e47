#!/bin/sh
# After the files are there. Debian: configure [OLD VERSION]. rpm: the number of packages.
set -e
case "$1" in configure | [1-9]*) ;; *) exit 0 ;; esac

if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers clearspan.conf
fi
[ -d /run/systemd/system ] || exit 0

# The bounds that were chosen once are chosen again: this version may have others.
chosen=/etc/systemd/system/clearspan.service.d/10-profile.conf
file=/etc/clearspan/clearspan.yaml
if [ -e $chosen ]; then
	by=$(sed -n 's/^# Written by: clearspan deploy systemd -c //p' $chosen)
	[ -z "$by" ] || file=$by
	[ -z "$by" ] || clearspan deploy systemd -c "$file" >/dev/null || echo "clearspan: the bounds of the service stay as they were: clearspan deploy systemd -c $file" >&2
fi
systemctl daemon-reload || true

# No service starts unasked. One that runs goes over to this version and lets its
# sessions go on.
if systemctl is-active --quiet clearspan.service; then
	clearspan upgrade -c "$file" || echo "clearspan: the service runs the version of before. To end its sessions and run this one: systemctl restart clearspan" >&2
fi
exit 0
