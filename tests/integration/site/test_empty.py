"""Machines that hold nothing yet, and machines that are not fit."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any


def footprint() -> set[Path]:
    return {path for place in ("/etc/postgresql", "/var/lib/postgresql") for path in Path(place).glob("*/*")}


def test_check_mode_on_an_empty_machine(empty_fleet: Any) -> None:
    before = footprint()
    run = empty_fleet.site("--check", "--diff")
    assert run.changed > 0
    assert footprint() == before
    assert not (empty_fleet.folder / "secrets").exists()


def test_status_of_nothing(empty_fleet: Any) -> None:
    document = empty_fleet.status()
    assert {node["state"] for node in document["nodes"]} == {"absent"}
    assert not (empty_fleet.folder / "secrets").exists()


def test_a_busy_port_is_refused_before_anything_changes(empty_fleet: Any) -> None:
    before = footprint()
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", 5483))
        stranger.listen()
        run = empty_fleet.play("site.yml")
    assert run.returncode != 0
    assert "Port 5483 is in use by another program" in " ".join(run.output.split())
    assert run.changed == 0
    assert footprint() == before


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
    before = footprint()
    packages = ["postgresql-%v", "postgresql-doc-%v"]
    run = empty_fleet.site("--check", "--diff", __pg_server_packages=packages)
    assert "Install the packages" in run.output
    assert run.changed > 0
    assert footprint() == before
