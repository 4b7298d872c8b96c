#!/bin/sh
# Debian by mmdebstrap, as a directory that system containers share: no kernel, no disk.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../debian/mmdebstrap.sh"
debian
mv "$WORK/root" "$WORK/image/root"
