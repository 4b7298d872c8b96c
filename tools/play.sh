#!/usr/bin/env bash
# ansible-playbook out of the virtual environment; asks for sudo's password where sudo will ask.
# With --document NAME first, stdout is the file that the play writes to output_file, and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/lib.sh

# Other inventories have other machines: then only they must be able to become root.
is_local() { ! printf ' %s' "$@" | grep -Eq -- ' (-i|--inventory)'; }

become_arguments() {
    if is_root || ! is_local "$@" || printf ' %s' "$@" | grep -Eq -- ' (-K|--ask-become-pass|--become-password-file)'; then
        return
    fi
    has sudo || die "The local nodes need root: run this as root, or as a user who may use sudo."
    sudo -n true 2>/dev/null && return
    [ -t 0 ] || die "sudo asks for a password, and there is no terminal to type it on: give ANSIBLE_ARGS='--become-password-file FILE'."
    echo --ask-become-pass
}

work=
if [ "$1" = --document ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    shift
fi
if is_local "$@"; then
    is_debian_family || die "The local nodes are made with Debian's postgresql-common, and this is $(system_name): use Debian 12 or 13, Ubuntu 22.04 or 24.04, or an inventory of your own (ANSIBLE_ARGS='-i …')."
fi
become=$(become_arguments "$@")
if [ -z "$work" ]; then
    exec .venv/bin/ansible-playbook $become "$@"
fi
ended=0
.venv/bin/ansible-playbook $become "$@" -e output_file="$work/document" >"$work/output" || ended=$?
if [ ! -e "$work/document" ]; then
    cat "$work/output" >&2
    exit "$((ended ? ended : 1))"
fi
cat "$work/document"
exit "$ended" # a strict run fails after it has written the document
