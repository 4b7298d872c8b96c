# shellcheck shell=sh
# Debian in $WORK/root by mmdebstrap, with $PACKAGES and what $here/customize.sh does to it. Read by make.sh.

# Where this machine's own apt gets Debian from, unless a mirror is given; the tool's default where it gets it nowhere.
configured() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Label: $1" | head -n 1
}

sources() {
    mirror=${MIRROR:-$(configured Debian)}
    [ -n "$mirror" ] || return 0
    echo "deb $mirror $SUITE main"
    echo "deb $mirror $SUITE-updates main"
    security=$(configured Debian-Security)
    [ -z "$security" ] || echo "deb $security $SUITE-security main"
}

debian() {
    lines=$(sources)
    printf '%s\n' "$lines" | mmdebstrap --variant=apt --mode=root --quiet --include="$PACKAGES" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*/LC_MESSAGES/*' \
        --essential-hook="sh '$here/../debian/prepare.sh' \"\$1\"" \
        --customize-hook="sh '$here/../debian/customize.sh' \"\$1\"" \
        --customize-hook="sh '$here/customize.sh' \"\$1\"" \
        "$SUITE" "$WORK/root" ${lines:+-}
    chroot "$WORK/root" dpkg-query -W -f '${Version}' "postgresql-$VERSION" >"$WORK/postgresql"
}
