"""Repositories of both providers for tests, and servers that archive into them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PROVIDERS = ("pgbackrest", "plain")
ON = {"archive_mode": "on", "wal_keep_size": "128MB"}
CONFIG = """[global]
repo1-path={folder}/repository
repo1-retention-full=9
compress-type=zst
log-path={folder}/log
lock-path={folder}/lock
spool-path={folder}/spool
log-level-file=off
{more}
[shop]
pg1-path={data}
pg1-port={port}
pg1-socket-path={socket}
"""


class Kept:
    """One repository below the folder of some servers."""

    def __init__(self, servers: Any, provider: str, name: str = "kept") -> None:
        self.servers, self.provider = servers, provider
        self.folder: Path = servers.folder / name
        self.run = servers.run
        self.run("mkdir", "-p", self.folder)

    @property
    def config(self) -> Path:
        return self.folder / "pgbackrest.conf"

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def options(self) -> dict[str, Any]:
        if self.provider == "plain":
            return {"provider": "plain", "repository": str(self.repository)}
        return {"stanza": "shop", "config_file": str(self.config)}

    def of(self, server: Any) -> dict[str, Any]:
        """Options of a module that works on this repository and that server."""
        return {**server.login, **self.options}

    @property
    def settings(self) -> dict[str, Any]:
        """What makes a server archive here. A directory that is not there yet would be refused for good."""
        if self.provider == "plain":
            return {
                **ON,
                "archive_library": "basic_archive",
                "basic_archive.archive_directory": self.repository / "archive",
            }
        return {**ON, "archive_command": f"pgbackrest --config={self.config} --stanza=shop archive-push %p"}

    def configure(self, server: Any, more: str = "") -> None:
        """Let pgBackRest know the server."""
        text = CONFIG.format(folder=self.folder, data=server.data, port=server.port, socket=server.socket, more=more)
        self.run("sh", "-c", f'cat > "{self.config}"', input=text)

    def primary(self, name: str = "", stranger: bool = False, **settings: Any) -> Any:
        """A running server that does not archive yet."""
        server = self.servers.primary(name, stranger, **{**ON, **settings})
        self.configure(server)
        return server

    def archiving(self, module: Any, server: Any) -> Any:
        """The same with its repository, archiving."""
        made = module("wal_archive", **self.of(server), state="initialized")
        assert not made["failed"], made
        server.write_config(**self.settings)
        server.stop()
        server.start()  # after a reload alone the archiver takes another library with up to a minute's delay
        return server

    @property
    def archive(self) -> Path:
        if self.provider == "plain":
            return self.repository / "archive"
        return self.repository / "archive/shop/15-1"

    def files(self, pattern: str) -> list[str]:
        """Files of the archive whose names begin so, as its owner sees them."""
        return str(self.run("find", self.archive, "-type", "f", "-name", f"{pattern}*").stdout).split()

    def remove(self, name: str) -> None:
        found = self.files(name)
        assert found, name
        self.run("rm", *found)

    def put(self, name: str, text: str) -> None:
        self.run("sh", "-c", f'cat > "{self.archive / name}"', input=text)

    def backrest(self, *words: str) -> str:
        return str(self.run("pgbackrest", f"--config={self.config}", "--stanza=shop", *words).stdout)


def fill(server: Any, segments: int) -> None:
    """Finish some segments."""
    for number in range(segments):
        server.psql(f"SELECT pg_logical_emit_message(false, 'test', '{number}'); SELECT pg_switch_wal()")


def codes(result: dict[str, Any]) -> list[str]:
    return [each["code"] for each in result["findings"]]
