#!/bin/sh
# A machine out of a directory tree, with processes, files and a loopback of its own, that nobody else sees: room.sh TREE SHARED…
# Started in namespaces of its own. What is shared is seen at its own path and cannot be written; everything else is written to memory.
# Writes the id of its first process, as the host knows it, and ends with its standard input. Nothing is left then.
set -eu
read -r pid rest </proc/self/stat
tree=$1
shift
mount -t tmpfs -o mode=0755,size=2g room /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$tree,upperdir=/mnt/upper,workdir=/mnt/work" room /mnt/root
root=/mnt/root

mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount --bind /dev/pts "$root/dev/pts"
mount -t tmpfs -o mode=1777 room "$root/dev/shm"
for path in "$@"; do
    mkdir -p "$root$path"
    mount --bind -o ro "$path" "$root$path"
done
hostname room
echo '127.0.0.1 localhost room' >"$root/etc/hosts"
chroot "$root" ip link set lo up
chroot "$root" systemd-tmpfiles --create postgresql-common.conf # as an init does
# bash, because the first process must reap those whose parents are gone. Its id is given away when its root is the tree.
exec chroot "$root" bash -c 'cd "$1" && echo "$2" && read -r' room "$1" "$pid"
