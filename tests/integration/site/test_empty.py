"""Machines that hold nothing yet, and machines that are not fit."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import pytest


def footprint(fleet: Any) -> set[Path]:
    """What there is of a fleet; others come and go meanwhile."""
    places = ("/etc/postgresql", "/var/lib/postgresql", "/var/log")
    return {path for place in places for path in Path(place).glob(f"*/*{fleet.name}_*")}


def test_check_mode_on_an_empty_machine(empty_fleet: Any) -> None:
    before = footprint(empty_fleet)
    run = empty_fleet.site("--check", "--diff")
    assert run.changed > 0
    assert footprint(empty_fleet) == before
    assert not (empty_fleet.folder / "secrets").exists()


def test_status_of_nothing(empty_fleet: Any) -> None:
    document = empty_fleet.status()
    assert {node["state"] for node in document["nodes"]} == {"absent"}
    assert not (empty_fleet.folder / "secrets").exists()


@pytest.mark.parametrize("format_of_results", ["yaml", "json"])
def test_the_table_has_lines_in_each_of_ansibles_formats(
    empty_fleet: Any, monkeypatch: pytest.MonkeyPatch, format_of_results: str
) -> None:
    monkeypatch.setenv("ANSIBLE_CALLBACK_RESULT_FORMAT", format_of_results)
    output = empty_fleet.play("playbooks/status.yml").output
    assert re.search(r'^ +"?node +role +address +state .*timeline"?,?$', output, re.MULTILINE), output


def test_a_busy_port_is_refused_before_anything_changes(empty_fleet: Any) -> None:
    before = footprint(empty_fleet)
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", empty_fleet.ports["node2"]))
        stranger.listen()
        run = empty_fleet.play("site.yml")
    assert run.returncode != 0
    assert f"Port {empty_fleet.ports['node2']} is in use by another program" in " ".join(run.output.split())
    assert run.changed == 0
    assert footprint(empty_fleet) == before


def test_too_little_space_is_refused_before_anything_changes(empty_fleet: Any) -> None:
    run = empty_fleet.play("site.yml", pg_server_min_free_mb=10**9)
    assert run.returncode != 0
    assert "1000000000 MB are needed" in " ".join(run.output.split())
    assert run.changed == 0


def test_an_unsupported_system_is_refused(empty_fleet: Any) -> None:
    run = empty_fleet.play("site.yml", __pg_server_releases={"plan9-4": 15})
    assert run.returncode != 0
    assert "which is not supported. Use one of: plan9-4" in " ".join(run.output.split())


def test_a_wrong_option_is_refused(empty_fleet: Any) -> None:
    run = empty_fleet.play("site.yml", pg_server_repository="elsewhere")
    assert run.returncode != 0
    assert "pg_server_repository" in run.output


def test_check_mode_where_postgresql_is_not_installed(empty_fleet: Any) -> None:
    """A package that is never installed here stands for all of them: no user postgres, no programs, no psycopg2."""
    before = footprint(empty_fleet)
    packages = ["postgresql-%v", "postgresql-doc-%v"]
    run = empty_fleet.site("--check", "--diff", __pg_server_packages=packages)
    assert "Install the packages" in run.output
    assert run.changed > 0
    assert footprint(empty_fleet) == before
