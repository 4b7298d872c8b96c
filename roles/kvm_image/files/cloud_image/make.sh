#!/bin/sh
# A golden image out of somebody's cloud image: boot it once with a seed that installs what a node needs, cleans what makes it this
# machine and shuts down. Plain QEMU with its own user network: neither libvirt nor a bridge, and nobody can reach it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

die() {
    echo "$*" >&2
    exit 1
}

work=$WORK/prepare
mkdir "$work"
qemu-img convert -O qcow2 "$BASE" "$work/disk.qcow2"
virtual=$(qemu-img info --output=json "$work/disk.qcow2" | python3 -c 'import json, sys; print(json.load(sys.stdin)["virtual-size"])')
[ "$virtual" -ge "$((${SIZE%G} * 1073741824))" ] || qemu-img resize -q "$work/disk.qcow2" "$SIZE"

echo "instance-id: prepare-${TARGET##*/}" >"$work/meta-data"
{
    echo '#cloud-config'
    echo 'write_files:'
    echo '  - path: /run/pgfleet-prepare'
    echo '    encoding: b64'
    echo "    content: $(sed -e "s|@PACKAGES@|$PACKAGES|; s|@LOCALE@|$LOCALE|; s|@REPOSITORY@|$REPOSITORY|" "$here/prepare.sh" | base64 -w 0)"
    echo 'runcmd:'
    # After cloud-init has finished, which would otherwise write down again what is cleaned.
    echo '  - [systemd-run, --no-block, --property=After=cloud-init.target, sh, /run/pgfleet-prepare]'
} >"$work/user-data"
genisoimage -quiet -o "$work/seed.iso" -V cidata -J -r "$work/user-data" "$work/meta-data"

set --
[ -z "$KERNEL" ] || set -- -kernel "$KERNEL" -append "$CMDLINE"
[ -z "$INITRD" ] || set -- "$@" -initrd "$INITRD"
# It dies with this script. What it says goes to a file, and its last word tells whether it was done.
if ! timeout --kill-after=10 "$TIMEOUT" setpriv --pdeathsig KILL qemu-system-x86_64 \
    -nodefaults -no-user-config -display none -machine q35 -accel "$ACCELERATOR" -cpu "$CPU" -m "$MEMORY_MB" \
    -drive "file=$work/disk.qcow2,if=virtio,cache=unsafe" -drive "file=$work/seed.iso,if=virtio,format=raw,readonly=on" \
    -netdev user,id=net -device virtio-net-pci,netdev=net -device virtio-rng-pci -serial "file:$work/console" "$@" </dev/null; then
    die "The machine that prepares the image did not shut down within $TIMEOUT s. The end of its console: $(tail -n 15 "$work/console")"
fi
result=$(grep -a -o 'pgfleet-prepared [^ ]*' "$work/console" | tail -n 1 | tr -d '\r') ||
    die "The machine that prepares the image shut down before it was done. The end of its console: $(tail -n 15 "$work/console")"
echo "${result#pgfleet-prepared }" >"$WORK/postgresql"

qemu-img convert -O qcow2 "$work/disk.qcow2" "$WORK/image/disk.qcow2"
[ -z "$KERNEL" ] || cp "$KERNEL" "$WORK/image/vmlinuz"
[ -z "$INITRD" ] || cp "$INITRD" "$WORK/image/initrd.img"
