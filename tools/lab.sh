#!/usr/bin/env bash
# The lab of virtual machines: tools/lab.sh up|status|destroy [words for ansible-playbook], and any other playbook on it:
# tools/lab.sh play playbooks/switchover.yml -e to=node2
# PGFLEET_INVENTORY names another inventory that makes its machines: inventory/containers.
# With PGFLEET_NETNS=1 all of it lives in a network namespace (PGFLEET_NETNS_NAME, pgfleet-lab): it is made by up, which
# installs packages and builds the image outside of it first, stays for status, and goes with destroy.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/lib.sh

name=${PGFLEET_NETNS_NAME:-pgfleet-lab}
inventory=${PGFLEET_INVENTORY:-inventory/lab}

play() {
    (use_mitogen && in_namespace "$name" .venv/bin/ansible-playbook -i "$inventory" "$@")
}

action=${1:-}
shift || true
case $action in
up)
    if [ "${PGFLEET_NETNS:-0}" = 1 ]; then
        PGFLEET_NETNS=0 play playbooks/image.yml "$@"
    fi
    play site.yml "$@"
    ;;
status) play playbooks/status.yml "$@" ;;
play) play "$@" ;;
destroy)
    play playbooks/teardown.yml -e confirm=yes "$@"
    if [ "${PGFLEET_NETNS:-0}" = 1 ]; then
        tools/netns.sh remove "$name"
    fi
    ;;
*) die "usage: tools/lab.sh up|status|destroy|play [words for ansible-playbook]" ;;
esac
