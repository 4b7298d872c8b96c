#!/bin/sh
# Makes the image $TARGET with $SOURCE/make.sh. It is made beside its place and renamed when it is whole, so what lies there is
# always an image; what a killed build left is removed by the next one.
set -eu

die() {
    echo "$*" >&2
    exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
images=${TARGET%/*}
WORK=$images/.building-${TARGET##*/}
export WORK

exec 9>"$images/.lock"
flock 9
[ ! -e "$TARGET/image.json" ] || exit 0
# Never into a mount: a build mounts /proc, /sys and /dev in what it makes.
rm -rf --one-file-system "$images"/.building-*
trap 'rm -rf --one-file-system "$WORK"' EXIT
trap 'exit 1' HUP INT TERM

free=$(df --output=avail -m "$images" | tail -n 1)
[ "$free" -ge "$NEEDED_MB" ] ||
    die "$images has $((free)) MB free, but making an image takes $NEEDED_MB MB. Make room, or set kvm_image_directory."
mkdir -p "$WORK/image"
# What it starts and mounts is seen by nobody else, and ends with this script, however that ends.
setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc sh "$here/$SOURCE/make.sh" 9>&-

size=0
[ ! -e "$WORK/image/disk.qcow2" ] || size=$(qemu-img info --output=json "$WORK/image/disk.qcow2" | python3 -c 'import json, sys; print(json.load(sys.stdin)["virtual-size"])')
cat >"$WORK/image/image.json" <<END
{"hash": "${TARGET##*/}", "source": "$SOURCE", "postgresql": "$(cat "$WORK/postgresql")", "size_bytes": $size,
 "kernel": $([ -e "$WORK/image/vmlinuz" ] && echo true || echo false), "cmdline": "$CMDLINE"}
END
chmod 0755 "$WORK/image"
find "$WORK/image" -maxdepth 1 -type f -exec chmod 0644 {} +
sync -f "$WORK/image"
rm -rf --one-file-system "$TARGET"
mv "$WORK/image" "$TARGET"
