#!/usr/bin/env bash
# A network namespace of our own with a libvirt of its own, for machines on addresses that the host must not see.
#   tools/netns.sh run NAME COMMAND…    make it, run the command in it, remove it and all that was started in it
#   tools/netns.sh in NAME COMMAND…     run the command in it, make it where it is missing, leave it
#   tools/netns.sh remove NAME          end everything in it and remove it
# Inside, the directories that libvirt writes to and the machines' disks are private: a libvirt of the host, or of another
# namespace, is never met, and nothing outlives the namespace. Packages must be installed outside: there is no way out.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PRIVATE="/run/libvirt /etc/libvirt/qemu /etc/libvirt/storage /var/lib/libvirt/dnsmasq /var/lib/libvirt/qemu /var/log/libvirt
    /var/lib/pgfleet/machines /var/lib/pgfleet/containers"

usage() { die "usage: tools/netns.sh run|in NAME COMMAND…, tools/netns.sh remove NAME"; }

exists() { [ -e "/run/netns/$name" ] && [ -e "$home/mounts" ] && mountpoint -q "/run/netns/$name" && mountpoint -q "$home/mounts"; }

inside() { nsenter --net="/run/netns/$name" --mount="$home/mounts" --wd="$PWD" -- "$@"; }

make() {
    local directory
    remove
    mkdir -p "$home"
    # A mount namespace can only be kept below a mount that is not shared with others.
    mount --bind "$home" "$home"
    mount --make-private "$home"
    touch "$home/mounts"
    ip netns add "$name"
    unshare --mount="$home/mounts" --propagation private true
    for directory in $PRIVATE; do
        mkdir -p "$directory" "$home/private$directory"
        chown --reference="$directory" "$home/private$directory"
        chmod --reference="$directory" "$home/private$directory"
        inside mount --bind "$home/private$directory" "$directory"
    done
    # Bridges are looked up below /sys, which shows the namespace that mounted it.
    # (With it go the control groups, which a second libvirt would share with the first.)
    inside umount --lazy /sys
    inside mount -t sysfs sysfs /sys
    inside ip link set lo up
}

processes() { ip netns pids "$name" 2>/dev/null || true; }

end_processes() {
    local signal pids tries
    for signal in TERM KILL; do
        for tries in $(seq 50); do
            pids=$(processes)
            [ -n "$pids" ] || return 0
            [ "$tries" -ne 1 ] || kill -s "$signal" $pids 2>/dev/null || true
            sleep 0.1
        done
    done
    say "Network namespace $name still has processes: $(processes | tr '\n' ' ')"
    return 1
}

# Containers that were killed leave their control groups, which are empty a moment later and named by the namespace.
remove_control_groups() {
    local number
    number=$(stat --dereference --format=%i "/run/netns/$name")
    unshare --mount --propagation private sh -c '
        mount -t cgroup2 cgroup2 /mnt 2>/dev/null || exit 0
        for try in 1 2 3 4 5 6 7 8 9 10; do
            set -- /mnt/pgfleet-'"$number"'-*
            [ -e "$1" ] || exit 0
            find "$@" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.2
        done'
}

remove() {
    if [ -e "/run/netns/$name" ]; then
        end_processes
        remove_control_groups
        ip netns delete "$name"
    fi
    while mountpoint -q "$home/mounts"; do umount "$home/mounts"; done
    while mountpoint -q "$home"; do umount "$home"; done
    rm -rf --one-file-system "$home"
}

[ $# -ge 2 ] || usage
action=$1 name=$2
shift 2
[[ $name =~ ^[a-z][a-z0-9-]{0,14}$ ]] || die "'$name' is no name for a network namespace: use up to 15 letters, digits and dashes."
is_root || exec sudo --preserve-env "$0" "$action" "$name" "$@"
home=/var/lib/pgfleet/netns/$name

case $action in
run)
    [ $# -gt 0 ] || usage
    mkdir -p "${home%/*}"
    exec 9>"$home.lock"
    flock -n 9 || die "Another run uses network namespace $name: wait for it, or choose another name."
    trap remove EXIT
    make
    # In the background, so that a signal is acted upon at once; the command gets it too and may clean up first.
    env --default-signal=INT,QUIT "$0" in "$name" "$@" <&0 9>&- &
    command=$!
    for signal in INT TERM HUP; do
        trap "trap '' INT TERM HUP; kill -s $signal $command 2>/dev/null; wait $command || true; exit 130" "$signal"
    done
    code=0
    wait "$command" || code=$?
    exit "$code"
    ;;
in)
    [ $# -gt 0 ] || usage
    exists || make
    # Connections of ssh are kept open by address: one of another namespace would lead to a machine there that has the same.
    exec nsenter --net="/run/netns/$name" --mount="$home/mounts" --wd="$PWD" -- env ANSIBLE_SSH_CONTROL_PATH_DIR="$home/cp" "$@"
    ;;
remove) remove ;;
*) usage ;;
esac
