# Shared by the scripts beside it. Everything they say goes to stderr: stdout belongs to what was asked for.

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

has() { command -v "$1" >/dev/null 2>&1; }

# Debian, Ubuntu and their children; the roles look at the version.
is_debian_family() { grep -Eqs '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release; }

system_name() { (. /etc/os-release 2>/dev/null && printf '%s' "${PRETTY_NAME:-}") || uname -s; }

# For plays on virtual machines: tasks on emulated ones cost a twentieth with Mitogen. PGFLEET_MITOGEN=0 does without.
use_mitogen() {
    local plugins
    [ "${PGFLEET_MITOGEN:-1}" != 0 ] || return 0
    plugins=$(.venv/bin/python -c 'import ansible_mitogen; print(ansible_mitogen.__path__[0])' 2>/dev/null) || return 0
    export ANSIBLE_STRATEGY_PLUGINS=$plugins/plugins/strategy ANSIBLE_STRATEGY=mitogen_linear ANSIBLE_DEPRECATION_WARNINGS=false
}

# Runs a command in the network namespace of a name where PGFLEET_NETNS=1, and as it is otherwise.
in_namespace() {
    local name=$1
    shift
    if [ "${PGFLEET_NETNS:-0}" = 1 ]; then
        tools/netns.sh in "$name" "$@"
    else
        "$@"
    fi
}
