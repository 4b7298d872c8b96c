"""What node_info says about this machine, beside real servers."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

RELEASES = {"debian-12": 15, "debian-13": 17, "ubuntu-22.04": 14, "ubuntu-24.04": 16}


def look(module: Any, **options: Any) -> dict[str, Any]:
    result: dict[str, Any] = module("node_info", releases=RELEASES, **options)
    assert not result["failed"], result
    return result


def test_packages_and_locales(module: Any) -> None:
    found = look(module, packages=["python3-psycopg2", "no-such-package-%v"], locales=["C.UTF-8", "xx_XX.UTF-8"])
    assert found["missing_packages"] == [f"no-such-package-{found['version']}"]
    assert found["missing_locales"] == ["xx_XX.UTF-8"]


def test_places(module: Any) -> None:
    found = look(module, version="16", cluster="orders", data_directory="/srv/%v/%c")
    assert found["data_directory"] == "/srv/16/orders"
    assert found["config_directory"] == "/etc/postgresql/16/orders"
    assert not found["configured"]
    assert found["filesystem"]["total_bytes"] > found["filesystem"]["free_bytes"] > 0


def test_the_port_of_our_server_and_of_a_stranger(servers: Any, module: Any) -> None:
    server = servers.primary()
    ours = look(module, data_directory=str(server.data), port=server.port)
    assert ours["running_pid"] == server.pid
    assert ours["port"] == {"number": server.port, "busy": True, "ours": True, "own": server.port, "holder": None}
    other = look(module, data_directory=str(server.data) + "-other", port=server.port)["port"]
    holder = {"pid": server.pid, "program": "postgres", "data_directory": str(server.data)}
    assert other == {"number": server.port, "busy": True, "ours": False, "own": None, "holder": holder}
    server.stop()
    assert not look(module, data_directory=str(server.data), port=server.port)["port"]["busy"]


def test_a_listener_on_one_address_makes_the_port_busy(module: Any) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.listen()
        assert look(module, port=stranger.getsockname()[1])["port"]["busy"]


def test_files_are_described(module: Any, workspace: Path) -> None:
    file = workspace / "described-15"
    file.write_text("text\n")
    file.chmod(0o640)
    found = look(module, version="15", files=[str(workspace / "described-%v"), "/no/such/file"])
    assert found["files"]["/no/such/file"] == {}
    if found["files"][str(file)]:  # the owner of the servers may be another user than the one that runs the tests
        assert found["files"][str(file)]["mode"] == "0640"


@pytest.mark.parametrize("wrong", ["17.2", "latest", "9", "19", ""])
def test_a_version_that_is_none_is_refused(module: Any, wrong: str) -> None:
    result = module("node_info", releases=RELEASES, version=wrong)
    assert result["failed"] and result["code"] == "version_invalid"


@pytest.mark.parametrize("wrong", ["data", "~/data", "~postgres/data", "/", "", "/srv/pg\nx"])
def test_a_path_that_is_not_absolute_is_refused(module: Any, wrong: str) -> None:
    result = module("node_info", releases=RELEASES, data_directory=wrong)
    assert result["failed"] and result["code"] == "path_invalid"


def test_what_lies_at_a_data_directory(servers: Any, module: Any, tmp_path: Path) -> None:
    server = servers.primary()
    found = look(module, data_directory=str(server.data), owner=server.data.owner())["data"]
    assert found["cluster"] and "base" in found["entries"] and found["outside"] == [] and not found["mount_point"]
    nothing = look(module, data_directory="/proc/none/data", owner=server.data.owner())["data"]
    assert not nothing["exists"] and nothing["parent"] == "/proc" and nothing["parent_writable"] is False


def test_an_unknown_system_has_no_version(module: Any) -> None:
    assert module("node_info", releases={"plan9-4": 15})["version"] == 0


def test_the_server_is_asked_in_the_same_call(servers: Any, module: Any) -> None:
    server = servers.primary()
    where = {
        "version": str(servers.bin_dir().parent.name),
        "data_directory": str(server.data),
        "unix_socket_directory": str(server.socket),
        "port": server.port,
        "owner": server.data.owner(),
    }
    running = look(module, **where)["server"]
    alone = module("replication_status", **server.login, data_directory=str(server.data))
    assert running["status"]["role"] == "primary" and running["status"]["reachable"]
    assert running["status"].keys() == alone["status"].keys()
    server.stop()
    stopped = look(module, **where)["server"]
    assert stopped["status"]["role"] == "primary" and not stopped["status"]["running"]
    assert [reason["code"] for reason in stopped["reasons"]] == ["not_running"]
    assert (
        look(module, **{**where, "data_directory": str(server.data) + "-other"})["server"]["status"]["role"] == "absent"
    )
    assert look(module, **{**where, "version": "14"})["server"] is None, "nobody can ask without PostgreSQL's programs"
