# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.key_files import KeyFiles
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.keys import (
    FoundKeys,
    KeyHost,
    KeysPlan,
    plan_absent,
    plan_present,
)

A, B, MOVED = KeyHost("a", "10.0.0.1"), KeyHost("b"), KeyHost("a", "10.0.0.9")
A_LINE, B_LINE, OTHER = "a,10.0.0.1 ssh-ed25519 A", "b ssh-ed25519 B", "c,10.0.0.3 ssh-ed25519 C"
KEYS = {"a": "ssh-ed25519 A", "b": "ssh-ed25519 B"}
NOTHING, ALL = FoundKeys(), FoundKeys(True, KEYS, (A_LINE, B_LINE))

PRESENT = {
    "nothing there": (NOTHING, [A, B], ("id_ed25519", "a", "b"), None),
    "a user's key alone": (FoundKeys(True), [A], ("a",), None),
    "one of two": (FoundKeys(True, {"a": "ssh-ed25519 A"}, (A_LINE,)), [A, B], ("b",), None),
    "as it is": (ALL, [A, B], (), None),
    "known_hosts is missing": (FoundKeys(True, KEYS), [B, A], (), [A_LINE, B_LINE]),
    "others stay": (FoundKeys(True, KEYS, (OTHER,)), [A], (), [A_LINE, OTHER]),
    "another address": (FoundKeys(True, KEYS, (A_LINE,)), [MOVED], (), ["a,10.0.0.9 ssh-ed25519 A"]),
    "an address that was another's": (FoundKeys(True, KEYS, ("old,10.0.0.1 ssh-ed25519 O",)), [A], (), [A_LINE]),
}


@pytest.mark.parametrize(("found", "machines", "make", "after"), PRESENT.values(), ids=PRESENT)
def test_present(found: FoundKeys, machines: list[KeyHost], make: tuple[str, ...], after: list[str] | None) -> None:
    plan = plan_present(found, machines)
    assert (plan.make, plan.writes, plan.changed) == (make, after is not None, bool(make) or after is not None)
    if after is not None:
        assert list(plan.after) == after
        assert not plan_present(FoundKeys(found.user, found.hosts, plan.after), machines).changed


ABSENT = {
    "nothing there": (NOTHING, [A], KeysPlan()),
    "the last": (ALL, [A, B], KeysPlan(remove=("a", "b"), all=True, before=(A_LINE, B_LINE))),
    "one of two": (ALL, [A], KeysPlan(remove=("a",), before=(A_LINE, B_LINE), after=(B_LINE,))),
    "a user's key alone": (FoundKeys(True), [A], KeysPlan(all=True)),
    "its line alone": (
        FoundKeys(True, {"b": "ssh-ed25519 B"}, (A_LINE, B_LINE)), [A], KeysPlan(before=(A_LINE, B_LINE), after=(B_LINE,)),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("found", "machines", "plan"), ABSENT.values(), ids=ABSENT)
def test_absent(found: FoundKeys, machines: list[KeyHost], plan: KeysPlan) -> None:
    assert plan_absent(found, machines) == plan


@pytest.mark.parametrize("name", ["id_ed25519", "../a", "", "-a", "a b"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InvalidInput):
        KeyHost(name)


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen")
def test_keys_are_made_once_and_removed(tmp_path: Path) -> None:
    keys = KeyFiles(str(tmp_path / "keys"))
    keys.apply(plan_present(keys.read(), [A, B]))
    keys.apply(plan_present(keys.read(), [A, B]))
    made = keys.read()
    assert made.user and set(made.hosts) == {"a", "b"} and not plan_present(made, [A, B]).changed
    assert made.known == (f"a,10.0.0.1 {made.hosts['a']}", f"b {made.hosts['b']}")
    assert stat.S_IMODE((tmp_path / "keys/hosts/a").stat().st_mode) == 0o600
    keys.apply(plan_absent(keys.read(), [A]))
    assert set(keys.read().hosts) == {"b"} and keys.read().hosts["b"] == made.hosts["b"]
    keys.apply(plan_absent(keys.read(), [B]))
    assert list(tmp_path.iterdir()) == []
