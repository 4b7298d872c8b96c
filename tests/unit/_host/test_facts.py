"""Texts that a machine gives about itself."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._host import facts as _node

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
RELEASES = {"debian-12": 15, "ubuntu-24.04": 16}


def test_os_release() -> None:
    release = _node.parse_os_release(DEBIAN)
    assert release["PRETTY_NAME"] == "Debian GNU/Linux 12 (bookworm)"
    assert _node.release_key(release) == "debian-12"


@pytest.mark.parametrize(("wanted", "version"), [("distribution", 15), ("17", 17)])
def test_version(wanted: str, version: int) -> None:
    assert _node.choose_version(wanted, _node.parse_os_release(DEBIAN), RELEASES) == version


def test_an_unknown_system_ships_nothing() -> None:
    assert _node.choose_version("distribution", {"ID": "arch"}, RELEASES) == 0
    assert _node.release_key({"ID": "arch"}) == "arch-rolling"


def test_expand() -> None:
    assert _node.expand("/srv/%v/%c", 17, "main") == "/srv/17/main"


def test_only_installed_packages_count() -> None:
    lines = ["ii  postgresql-15", "rc  postgresql-14", "un  postgresql-17"]
    assert _node.installed_packages(lines) == {"postgresql-15"}


@pytest.mark.parametrize("name", ["en_US.UTF-8", "en_US.utf8", "en_US.UTF8"])
def test_locales_have_one_spelling(name: str) -> None:
    assert _node.normal_locale(name) == "en_US.utf8"
