# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""How a session is opened and how a standby follows, as the options say. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._errors import InvalidInput
from .recovery import DEAD_PEER, Recovery

ARCHIVE, STREAM = "archive", "stream"

#: Options of connection_spec, and what they are called here.
_OPTIONS = {
    "login_host": "host", "login_port": "port", "login_unix_socket": "unix_socket", "login_user": "user",
    "login_password": "password", "login_db": "database", "ssl_mode": "ssl_mode", "ca_cert": "ca_cert",
    "connect_timeout": "connect_timeout", "passfile": "passfile", "login_hostaddr": "hostaddr", "ssl_cert": "ssl_cert",
    "ssl_key": "ssl_key", "channel_binding": "channel_binding",
}  # fmt: skip


@dataclass(frozen=True)
class Login:
    """The way to a server, and who logs in. ``session_name`` is what the server calls the session.

    With ``hostaddr`` nobody looks up ``host``: it is the name in the server's certificate and in the password file.
    """

    host: str = ""
    port: int = 5432
    unix_socket: str = ""
    user: str = "postgres"
    password: str = field(default="", repr=False)
    database: str = "postgres"
    ssl_mode: str = "prefer"
    ca_cert: str | None = None
    connect_timeout: int = 10
    passfile: str | None = None
    hostaddr: str = ""
    ssl_cert: str | None = None
    ssl_key: str | None = None
    channel_binding: str = "prefer"
    session_name: str = "pgfleet"

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Login:
        """As a module's options say; what is no option of the module has its default."""
        return cls(**{name: params[option] for option, name in _OPTIONS.items() if option in params})

    @property
    def place(self) -> str:
        """Host or socket directory; empty where libpq's default is meant."""
        return self.host or self.unix_socket

    @property
    def address(self) -> str:
        """How messages name the server."""
        return f"{self.place or 'the default socket'}:{self.port}"

    @property
    def keepalive(self) -> dict[str, str]:
        """What notices a peer that is gone; a socket needs none."""
        return DEAD_PEER if self.host else {}

    @property
    def reached_at(self) -> str:
        """Where the connection goes: an address where one is given."""
        return self.hostaddr or self.place

    @property
    def tls(self) -> dict[str, str]:
        """The libpq parameters of its encryption (manual: SSL Support); a socket has none, and libpq's own default is left out."""
        binding = "" if self.channel_binding == "prefer" else self.channel_binding
        wanted = {
            "sslmode": self.ssl_mode,
            "sslrootcert": self.ca_cert,
            "sslcert": self.ssl_cert,
            "sslkey": self.ssl_key,
            "channel_binding": binding,
        }
        if not self.host:
            wanted = {"sslmode": self.ssl_mode}
        return {name: value for name, value in wanted.items() if value}

    @property
    def pairs(self) -> dict[str, str]:
        """The libpq parameters that lead to the server and notice when it is gone, without any password."""
        wanted = {"user": self.user, "host": self.place, "hostaddr": self.hostaddr, "port": self.port, **self.tls}
        return {**{name: str(value) for name, value in wanted.items() if value}, **self.keepalive}

    @property
    def kwargs(self) -> dict[str, Any]:
        """Arguments for psycopg2."""
        wanted = {
            "host": self.place,
            "hostaddr": self.hostaddr,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": self.database,
            "passfile": self.passfile,
            **self.tls,
            "connect_timeout": self.connect_timeout,
            "application_name": self.session_name,
        }
        return {**{name: value for name, value in wanted.items() if value}, **self.keepalive}


@dataclass(frozen=True)
class Following:
    """How a standby follows its upstream server, as the options of following_spec say."""

    login: Login
    slot: str = ""
    application_name: str = ""
    upstream: str = STREAM

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Following:
        """As a module's options say; raises InvalidInput."""
        upstream, slot = params.get("upstream", STREAM), params["slot"] or ""
        if upstream == ARCHIVE and slot:
            raise InvalidInput(
                f"Slot '{slot}' was given to a standby that is to read its WAL from the archive only.",
                "Leave slot out, or set upstream to 'stream'.",
            )
        return cls(Login.from_params(params), slot, params["application_name"] or "", upstream)

    @property
    def recovery(self) -> Recovery:
        """The recovery settings of the standby."""
        if self.upstream == ARCHIVE:
            return Recovery({}, archive_only=True)
        extra = {"application_name": self.application_name, "passfile": self.login.passfile}
        given = {name: value for name, value in extra.items() if value}
        return Recovery({**self.login.pairs, **given}, self.slot)
