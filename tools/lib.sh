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
