"""What makes a machine unfit, one problem a row."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._preflight import preflight_problems

GIB = 1024**3


def machine(**different: Any) -> dict[str, Any]:
    return {
        "os": {"id": "debian", "version_id": "12", "name": "Debian GNU/Linux 12 (bookworm)"},
        "version": 15,
        "missing_packages": [],
        "config_directory": "/etc/postgresql/15/main",
        "configured": False,
        "ours": False,
        "port": {"number": 5432, "busy": False, "ours": False, "own": None},
        "filesystem": {"path": "/var/lib/postgresql", "total_bytes": 100 * GIB, "free_bytes": 50 * GIB},
        **different,
    }


def wanted(**different: Any) -> dict[str, Any]:
    return {
        "address": "192.0.2.1",
        "min_free_mb": 512,
        "repository": "distribution",
        "releases": {"debian-12": 15},
        "addresses": ["192.0.2.1:5432", "192.0.2.2:5432"],
        **different,
    }


ROWS: dict[str, tuple[dict[str, Any], dict[str, Any], str | None]] = {
    "an empty machine is fit": (machine(), wanted(), None),
    "our running server": (
        machine(configured=True, ours=True, port={"number": 5432, "busy": True, "ours": True, "own": 5432}),
        wanted(),
        None,
    ),
    "a stranger on the port": (
        machine(port={"number": 5432, "busy": True, "ours": False, "own": None}),
        wanted(),
        "Port 5432 is in use",
    ),
    "our server is to move to a stranger's port": (
        machine(configured=True, ours=True, port={"number": 5432, "busy": True, "ours": False, "own": 5433}),
        wanted(),
        "Port 5432 is in use",
    ),
    "somebody's cluster of that name": (machine(configured=True), wanted(), "did not make"),
    "no space": (machine(filesystem={"path": "/data", "free_bytes": GIB // 4}), wanted(), "/data has 256 MB free"),
    "a running cluster on a full disk is not refused": (
        machine(configured=True, ours=True, filesystem={"path": "/data", "free_bytes": 0}),
        wanted(),
        None,
    ),
    "a version the distribution lacks": (
        machine(version=17, missing_packages=["postgresql-17"]),
        wanted(),
        "ships PostgreSQL 15, not 17",
    ),
    "that version is installed already": (machine(version=17), wanted(), None),
    "that version from the project's repository": (
        machine(version=17, missing_packages=["postgresql-17"]),
        wanted(repository="pgdg"),
        None,
    ),
    "an unsupported system": (
        machine(os={"id": "arch", "version_id": None, "name": "Arch Linux"}, configured=True),
        wanted(),
        "Arch Linux, which is not supported. Use one of: debian-12",
    ),
    "two nodes at one address": (
        machine(),
        wanted(addresses=["192.0.2.1:5432", "192.0.2.1:5432"]),
        "2 nodes of the inventory have the address 192.0.2.1:5432",
    ),
}


@pytest.mark.parametrize(("node", "wish", "words"), ROWS.values(), ids=ROWS.keys())
def test_problems(node: dict[str, Any], wish: dict[str, Any], words: str | None) -> None:
    problems = preflight_problems(node, wish)
    assert len(problems) == (0 if words is None else 1)
    if words:
        assert words in problems[0]


def test_all_problems_are_named_at_once() -> None:
    node = machine(configured=True, port={"number": 5432, "busy": True, "ours": False, "own": None})
    assert len(preflight_problems(node, wanted())) == 2
