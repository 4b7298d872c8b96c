#!/usr/bin/env bash
# Installs what is not there yet: tools/setup.sh runtime (for the plays), drills or vms (for those, too) or tests (for everything).
# Finished parts leave a stamp, so a second run costs nothing; an interrupted one is finished by the next.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/lib.sh

# The Python package that carries the collections, for machines that cannot reach Galaxy.
COLLECTIONS_PACKAGE=ansible==12.3.0
COLLECTIONS="ansible.posix community.crypto community.general community.libvirt community.postgresql"

as_root() {
    if is_root; then
        "$@"
    else
        has sudo || die "Packages are missing, and this is neither root nor a user with sudo: ask for 'make setup' to be run as root."
        sudo "$@"
    fi
}

# (Servers that a package starts must not inherit the lock, hence 9>&-.)
apt_install() {
    is_debian_family || die "$* is missing, and packages are only installed on Debian and Ubuntu, not on $(system_name): install it first."
    say "Installing packages: $*"
    as_root env DEBIAN_FRONTEND=noninteractive sh -c '
        apt-get install -y -qq --no-install-recommends "$@" && exit
        apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"' apt "$@" >&2 9>&- ||
        die "apt-get could not install $*; its words are above."
}

# --- Python -----------------------------------------------------------------------------------------------------------

is_usable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

usable_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 /usr/bin/python3}; do
        is_usable "$candidate" && command -v "$candidate" && return
    done
    return 1
}

install_python() {
    if has python3 && ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        apt_install python3.11 python3.11-venv
    else
        apt_install python3 python3-venv
    fi
}

# pip straight out of the wheel that every Python with ensurepip carries: half the time of installing it first.
bundled_pip() {
    .venv/bin/python - <<'EOF'
import ensurepip, glob, os
folders = (os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"), "/usr/share/python-wheels")
print(next(wheel for folder in folders for wheel in sorted(glob.glob(os.path.join(folder, "pip-*.whl")))))
EOF
}

pip() { PYTHONPATH=$(bundled_pip) .venv/bin/python -m pip "$@" -qq --no-input --disable-pip-version-check >&2; }

# What an installation was made of: a changed requirement, a moved checkout or another Python make it stale.
fingerprint() {
    pwd
    readlink -f .venv/bin/python || true
    cat "$@"
}

fresh() { [ -e "$1" ] && fingerprint "${@:2}" | cmp -s - "$1"; }

install_python_packages() {
    local level=$1 python
    shift
    say "Installing Python packages for $level into .venv"
    if ! fresh .venv/stamp-runtime requirements.txt; then
        python=$(usable_python) || { [ -z "${PYTHON:-}" ] && install_python && python=$(usable_python); } ||
            die "Python 3.11 or newer with venv is needed and was not found${PYTHON:+ in PYTHON=$PYTHON}: install it, or name one with PYTHON=/path/to/python3."
        rm -rf .venv
        "$python" -m venv --without-pip .venv
    fi
    pip install -r "${!#}" || die "pip could not install ${!#}; its words are above."
    fingerprint "$@" >".venv/stamp-$level.new"
    mv ".venv/stamp-$level.new" ".venv/stamp-$level"
}

# --- Collections ------------------------------------------------------------------------------------------------------

galaxy_answers() {
    timeout 5 .venv/bin/python - 2>/dev/null <<'EOF'
import urllib.request
from ansible import constants
constants.GALAXY_SERVER_LIST or urllib.request.urlopen(constants.GALAXY_SERVER, timeout=3)
EOF
}

from_galaxy() {
    say "Installing collections by Galaxy into .cache"
    timeout 300 .venv/bin/ansible-galaxy collection install -r requirements.yml -p .cache/incoming >&2
}

from_wheel() {
    say "Installing collections out of the Python package $COLLECTIONS_PACKAGE into .cache (Galaxy does not answer)"
    pip download --no-deps -d .cache/incoming "$COLLECTIONS_PACKAGE" || return
    .venv/bin/python - $COLLECTIONS <<'EOF'
import glob, sys, zipfile
wanted = tuple("ansible_collections/" + name.replace(".", "/") + "/" for name in sys.argv[1:])
with zipfile.ZipFile(glob.glob(".cache/incoming/*.whl")[0]) as wheel:
    wheel.extractall(".cache/incoming", [name for name in wheel.namelist() if name.startswith(wanted)])
EOF
}

install_collections() {
    local name folder
    rm -rf .cache/incoming
    mkdir -p .cache/incoming .cache/ansible_collections/pgfleet
    { galaxy_answers && from_galaxy; } || from_wheel ||
        die "The collections of requirements.yml could be had neither from Galaxy nor from the package index."
    for name in $COLLECTIONS; do
        folder=ansible_collections/${name/.//}
        mkdir -p ".cache/${folder%/*}"
        rm -rf ".cache/$folder"
        mv ".cache/incoming/$folder" ".cache/$folder"
    done
    rm -rf .cache/incoming
    # How plays, Molecule and tests find this collection by its name.
    ln -sfn ../../.. .cache/ansible_collections/pgfleet/cluster
    cp requirements.yml .cache/stamp-collections
}

# --- Packages of the machine that the tests use -----------------------------------------------------------------------

install_test_packages() {
    local missing=()
    /usr/bin/python3 -c 'import psycopg2' 2>/dev/null || missing+=(python3-psycopg2)
    has git || missing+=(git)
    has pgbackrest || missing+=(pgbackrest)
    if [ ${#missing[@]} -gt 0 ]; then
        apt_install "${missing[@]}"
    fi
    if ! compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; then
        install_without_default_cluster
    fi
}

# Tests make their own servers, so the package shall not start one.
install_without_default_cluster() {
    local choice=/etc/postgresql-common/createcluster.d/pgfleet-tests.conf
    as_root sh -c "mkdir -p ${choice%/*} && echo 'create_main_cluster = false' >$choice"
    trap 'as_root rm -f '"$choice" EXIT
    apt_install postgresql
}

# ----------------------------------------------------------------------------------------------------------------------

level=${1:-runtime}
mkdir -p .cache
exec 9>.cache/lock
flock 9
if ! fresh .venv/stamp-runtime requirements.txt; then
    install_python_packages runtime requirements.txt
fi
if ! cmp -s requirements.yml .cache/stamp-collections; then
    install_collections
fi
if [ "$level" = drills ] && ! fresh .venv/stamp-drills requirements.txt requirements-drills.txt; then
    install_python_packages drills requirements.txt requirements-drills.txt
fi
if [ "$level" = vms ] && ! .venv/bin/python -c 'import ansible_mitogen' 2>/dev/null; then
    (install_python_packages vms requirements.txt requirements-vms.txt) || say "Without them it only takes longer."
fi
if [ "$level" = tests ]; then
    everything="requirements.txt requirements-drills.txt requirements-vms.txt requirements-test.txt"
    if ! fresh .venv/stamp-tests $everything; then
        install_python_packages tests $everything
    fi
    install_test_packages
fi
