"""hba_rules on a real server: the marked blocks, the server's judgement, the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

BAD = {
    "contype": "host",
    "address": "192.0.2.0/24",
    "method": "ldap",
    "options": "ldapserver=a ldapprefix=x ldapbasedn=y",
}
"""Our own check lets it through; the server does not (a prefix beside a search)."""
BAD_LINE = "host all all 192.0.2.0/24 ldap ldapserver=a ldapprefix=x ldapbasedn=y"
APP = {"contype": "host", "databases": "app", "users": "app", "address": "127.0.0.1", "method": "trust"}


@pytest.fixture(scope="module")
def server(shared_servers: Any) -> Any:
    return shared_servers.primary()


class Hba:
    """The file of a server, and the module called for it."""

    def __init__(self, server: Any, module: Any) -> None:
        self.server = server
        self.path = Path(server.data / "pg_hba.conf")
        self.module = module

    def __call__(self, *rules: Any, check: bool = False, **more: Any) -> dict[str, Any]:
        options = {
            "path": str(self.path),
            "data_directory": str(self.server.data),
            "nodes": ["127.0.0.1"],
            "rules": list(rules),
        }
        result: dict[str, Any] = self.module("hba_rules", check=check, **{**options, **more})
        return result

    @property
    def errors(self) -> str:
        return str(self.server.psql("SELECT error FROM pg_hba_file_rules WHERE error IS NOT NULL"))


@pytest.fixture
def hba(server: Any, module: Any) -> Hba:
    server.write("pg_hba.conf", "local all all trust\nhost all all 127.0.0.1/32 trust # foreign")
    server.run("chmod", "600", server.data / "pg_hba.conf")
    return Hba(server, module)


def test_a_block_comes_changes_and_goes(hba: Hba) -> None:
    before = hba.path.read_text()
    check = hba(APP, check=True)
    assert check["changed"] and hba.path.read_text() == before
    done = hba(APP)
    assert done["validated"] and done["diff"] == check["diff"]
    assert hba.path.stat().st_mode & 0o777 == 0o640
    assert hba.path.read_text() == (
        "# BEGIN pgfleet: rules of the fleet\nlocal all postgres peer\n"
        "host replication replicator 127.0.0.1/32 scram-sha-256\nhost postgres pgfleet_rewind 127.0.0.1/32 scram-sha-256\n"
        "host app app 127.0.0.1/32 trust\n# END pgfleet: rules of the fleet\n"
        f"{before}\n# BEGIN pgfleet: last rules of the fleet\nlocal all all peer\n# END pgfleet: last rules of the fleet\n"
    )
    assert not hba(APP)["changed"]
    with hba.path.open("a") as file:
        file.write("host mine mine 127.0.0.1/32 trust\n")
    assert hba(APP)["changed"] and not hba(APP)["changed"]
    assert "# foreign\nhost mine mine 127.0.0.1/32 trust\n# BEGIN" in hba.path.read_text()
    assert hba()["changed"]
    assert "host app app" not in hba.path.read_text()
    assert hba(state="absent")["changed"] and not hba(state="absent")["changed"]
    assert hba.path.read_text() == f"{before}\nhost mine mine 127.0.0.1/32 trust\n"


def test_what_the_server_refuses_is_taken_back(hba: Hba) -> None:
    hba(APP)
    before = hba.path.read_text()
    run = hba(APP, BAD)
    assert run["failed"] and run["code"] == "hba_refused"
    assert run["msg"].startswith(f"The server refuses the rule '{BAD_LINE}' for '{hba.path}': cannot use ")
    assert run["rule"] == BAD_LINE
    assert hba.path.read_text() == before
    assert sorted(path.name for path in hba.path.parent.glob("pg_hba*")) == ["pg_hba.conf"]


def test_a_run_that_was_killed_before_the_judgement_is_finished(hba: Hba) -> None:
    hba(APP)
    good = hba.path.read_text()
    bad = good.replace("host app app 127.0.0.1/32 trust", BAD_LINE)
    hba.server.write("pg_hba.conf.pgfleet-before", good)
    hba.server.write("pg_hba.conf", bad)
    assert hba(BAD)["code"] == "hba_refused", "the same wrong rule again: what the killed run found comes back"
    assert hba.path.read_text() == good
    hba.server.write("pg_hba.conf.pgfleet-before", good)
    hba.server.write("pg_hba.conf", bad)
    assert hba(APP)["changed"]
    assert hba.path.read_text() == good
    assert not Path(f"{hba.path}.pgfleet-before").exists()


def test_a_foreign_line_that_the_server_cannot_use_is_named(hba: Hba) -> None:
    hba.server.write("pg_hba.conf", "local all all trust\nhost all all nonsense/99 trust\n")
    before = hba.path.read_text()
    run = hba(APP)
    assert run["code"] == "hba_error"
    assert "'host all all nonsense/99 trust', which this collection did not write" in run["msg"]
    assert hba.path.read_text() == before


def test_a_rule_without_effect_is_a_warning(hba: Hba) -> None:
    run = hba(APP, {**APP, "method": "md5"}, {**APP, "contype": "hostssl", "method": "reject"})
    assert not run["failed"]
    words = str(run["warnings"])
    assert "'host app app 127.0.0.1/32 md5' has no effect: 'host app app 127.0.0.1/32 trust' comes first" in words
    assert (
        "'hostssl app app 127.0.0.1/32 reject' has no effect: hostssl record cannot match because SSL is disabled"
        in words
    )


def test_a_stopped_server_and_no_file(hba: Hba, servers: Any, module: Any) -> None:
    stopped = servers.data("none")
    run = module("hba_rules", path=str(servers.folder / "new_hba.conf"), data_directory=str(stopped), rules=[APP])
    assert run["changed"] and not run["validated"]
    wrong = hba(path=str(servers.folder / "other_hba.conf"))
    assert wrong["code"] == "hba_elsewhere"
    assert not (servers.folder / "other_hba.conf").exists()


def test_a_link_and_another_block(hba: Hba, servers: Any) -> None:
    hba.server.run("mv", hba.path, servers.folder / "real.conf")
    hba.server.run("ln", "-s", servers.folder / "real.conf", hba.path)
    try:
        hba(APP)
        before = hba.path.read_text()
        hba({**APP, "method": "reject"}, block="test")
        assert hba.path.is_symlink()
        assert hba.path.read_text().startswith("# BEGIN pgfleet: test\nhost app app 127.0.0.1/32 reject\n# END")
        assert hba(block="test", state="absent")["changed"]
        assert hba.path.read_text() == before
    finally:
        hba.path.unlink()
