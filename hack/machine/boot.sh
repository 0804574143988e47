#!/bin/bash
# Begins as process 1 of namespaces of its own, and becomes systemd on a copy of this
# machine's files: boot.sh DIRECTORY. What is written there goes with the namespaces.
set -eu
dir=$1
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$dir"
mkdir "$dir"/{upper,work,root}
mount -t overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" overlay "$dir/root"
cd "$dir/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t bpf bpf sys/fs/bpf
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
	touch dev/$name
	mount --bind /dev/$name dev/$name
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ip link set lo up

# A machine that has no services, network or journal of ours.
: >etc/machine-id
: >etc/fstab
rm -rf etc/systemd/system/*.wants etc/systemd/system/clearspan* var/log/journal
rm -f usr/sbin/policy-rc.d # which has no service started
mkdir etc/systemd/system/lab.target.wants
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\n' >etc/systemd/system/lab.target
# What would change the kernel that both machines have.
for unit in systemd-sysctl systemd-modules-load systemd-binfmt systemd-random-seed systemd-udevd systemd-udev-trigger systemd-hwdb-update systemd-remount-fs; do
	ln -sf /dev/null etc/systemd/system/$unit.service
done
mkdir old
pivot_root . old
umount -l /old
rmdir /old
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --system --unit=lab.target --show-status=no --log-target=journal </dev/null
