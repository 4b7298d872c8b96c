"""The directory of the authorities: moves, also those of a run that was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._pki.folder import Folder
from ansible_collections.pgfleet.cluster.tests.certs import authority, key_text


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(str(tmp_path / "secrets/pki"))
    with made.locked():
        pass
    return made


def make(folder: Folder, name: str, place: str) -> None:
    folder.begin()
    Path(folder.incoming, "certificate.pem").write_text(authority(name))
    Path(folder.incoming, "key.pem").write_text(key_text(name))
    folder.take(place)


def names(folder: Folder) -> list[str]:
    have = folder.read()
    return [each.common_name.removesuffix(" CA") if each else "" for each in (have.current, have.next, have.previous)]


def test_from_one_to_the_next(folder: Folder) -> None:
    assert names(folder) == ["", "", ""]
    make(folder, "old", "current")
    make(folder, "new", "next")
    assert names(folder) == ["old", "new", ""]
    folder.move("activate")
    assert names(folder) == ["new", "", "old"]
    folder.move("retire")
    assert names(folder) == ["new", "", ""]
    assert [each.common_name for each in folder.read().retired] == ["old CA"]
    assert Path(folder.key()).read_text() == key_text("new")
    assert [path.name for path in Path(folder.path).rglob("key.pem")] == ["key.pem"], "the key of a retired one is gone"


def test_killed_between_two_renames(folder: Folder) -> None:
    make(folder, "old", "current")
    make(folder, "new", "next")
    Path(folder.path, "current").rename(Path(folder.path, "previous"))
    folder.move("activate")
    assert names(folder) == ["new", "", "old"]


def test_what_a_killed_run_was_making_is_made_again(folder: Folder) -> None:
    folder.begin()
    Path(folder.incoming, "key.pem").write_text("half")
    make(folder, "old", "current")
    assert names(folder) == ["old", "", ""]


def test_nobody_else_may_read(folder: Folder) -> None:
    make(folder, "old", "current")
    modes = {
        path.name: oct(path.stat().st_mode & 0o777)
        for path in [Path(folder.path).parent, *Path(folder.path).glob("*"), Path(folder.path)]
    }
    assert modes == {"secrets": "0o700", "pki": "0o700", "current": "0o700", "lock": "0o600"}


def test_clients_trust_whom_the_nodes_trust(folder: Folder) -> None:
    make(folder, "old", "current")
    assert not folder.publishes(folder.read())
    folder.publish(folder.read())
    assert folder.publishes(folder.read())
    make(folder, "new", "next")
    assert not folder.publishes(folder.read())
    folder.publish(folder.read())
    assert Path(folder.bundle).read_text() == authority("old") + authority("new")
