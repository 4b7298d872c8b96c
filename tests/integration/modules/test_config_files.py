"""Small files of a server, written in one call."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Any

import pytest

OWNER = "postgres" if os.geteuid() == 0 else getpass.getuser()


@pytest.fixture
def etc(servers: Any) -> Path:
    """A directory that the module, which runs as the owner of the servers here, can write to."""
    path: Path = servers.data("etc")
    servers.run("mkdir", path)
    return path


def wish(etc: Path, **more: Any) -> dict[str, Any]:
    return {
        "owner": OWNER,
        "directories": [str(etc / "a/conf.d")],
        "files": [
            {"path": str(etc / "a/conf.d/fleet.conf"), "content": "work_mem = '8MB'\n", **more},
            {"path": str(etc / "a/pgpass"), "secret_content": "h:1:d:u:verysecret\n"},
        ],
    }


def test_check_apply_again(module: Any, servers: Any, etc: Path) -> None:
    written = [str(etc / "a/conf.d"), str(etc / "a/conf.d/fleet.conf"), str(etc / "a/pgpass")]
    check = module("config_files", check=True, **wish(etc))
    assert check["changed"] and check["written"] == written
    assert not (etc / "a").exists()
    applied = module("config_files", **wish(etc))
    assert applied["changed"] and applied["written"] == written
    assert applied["diff"] == check["diff"]
    assert "verysecret" not in str(applied)
    assert servers.run("stat", "-c", "%a %U", etc / "a/pgpass", etc / "a/conf.d/fleet.conf").stdout.splitlines() == [
        f"600 {OWNER}",
        f"644 {OWNER}",
    ]
    again = module("config_files", **wish(etc))
    assert not again["changed"] and again["written"] == [] and again["diff"] == []


def test_a_file_that_is_kept(module: Any, servers: Any, etc: Path) -> None:
    module("config_files", **wish(etc))
    other = wish(etc, keep=True)
    other["files"][0]["content"] = "something else\n"
    assert not module("config_files", **other)["changed"]


def test_content_that_its_own_command_refuses(module: Any, servers: Any, etc: Path) -> None:
    validate = [str(servers.bin_dir() / "postgres"), "-C", "port", "-D", "/", "--config-file=%s"]
    wrong = wish(etc, validate=validate)
    wrong["files"][0]["content"] = "shared_buffers = 'much'\n"
    wrong["files"].reverse()
    for check in (True, False):
        refused = module("config_files", check=check, **wrong)
        assert refused["failed"] and refused["code"] == "invalid_file"
        assert "shared_buffers" in refused["msg"] and str(etc / "a/conf.d/fleet.conf") in refused["msg"]
        assert not (etc / "a").exists(), "nothing is written when one of the files is refused"
    right = wish(etc, validate=validate)
    assert module("config_files", **right)["changed"]


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(module: Any, servers: Any, etc: Path) -> None:
    module("config_files", **wish(etc))
    elsewhere = etc / "elsewhere"
    servers.run("sh", "-c", f"echo theirs > {elsewhere}; ln -sf {elsewhere} {etc}/a/conf.d/fleet.conf")
    assert module("config_files", **wish(etc))["written"] == [str(etc / "a/conf.d/fleet.conf")]
    assert servers.run("cat", elsewhere).stdout == "theirs\n"


@pytest.mark.parametrize(
    ("change", "code"),
    [({"owner": "nobody-of-that-name"}, "no_such_user"), ({"files": [{"path": "/tmp/x"}]}, "invalid_input")],
)
def test_bad_input(module: Any, etc: Path, change: dict[str, Any], code: str) -> None:
    refused = module("config_files", **{**wish(etc), **change})
    assert refused["failed"] and refused["code"] == code
    assert not (etc / "a").exists()
