# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Connections to servers: open, read, run, and say what went wrong in one vocabulary."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .._errors import ConnectFailed, MissingFeature, PgFleetError, QueryFailed
from .answer import own_words
from .login import Login

try:
    import psycopg2
    import psycopg2.extras
    from psycopg2 import sql
except ImportError:
    sql: Any = None  # type: ignore[no-redef]
    PSYCOPG2_ERROR: str | None = traceback.format_exc()
else:
    PSYCOPG2_ERROR = None

#: Words of a refused login, its code and its remedy. English only: an unknown text stays ``login_refused``.
REFUSALS = (
    (
        r"no pg_hba\.conf entry",
        "no_hba_entry",
        "Add a rule for this user, database and address to pg_hba.conf and reload.",
    ),
    (
        r"pg_hba\.conf rejects",
        "no_hba_entry",
        "A 'reject' rule of pg_hba.conf matches; put a rule that allows it before that one and reload.",
    ),
    (
        r"password authentication failed",
        "wrong_password",
        "Give the password the server knows, or set it with ALTER ROLE.",
    ),
    (r"no password supplied|empty password", "wrong_password", "Give the password; the server asks for one."),
    (
        r"permission denied to start WAL sender|must be superuser or replication role",
        "not_replication_role",
        "Give the role the REPLICATION attribute.",
    ),
    (
        r"Peer authentication failed|Ident authentication failed",
        "wrong_operating_system_user",
        "Run the task as the operating-system user of that name (become_user).",
    ),
    (r'role ".*" does not exist', "role_missing", "Create the role, or give the name of one that exists."),
    (r'database ".*" does not exist', "database_missing", "Give the name of a database that exists."),
    (
        r"max_wal_senders",
        "no_free_wal_sender",
        "Raise max_wal_senders (needs a restart) or stop a WAL sender that is not needed.",
    ),
    (
        r"too many clients|remaining connection slots|too many connections for",
        "too_many_connections",
        "Close connections, or raise max_connections (needs a restart). Applications should not log in as superuser:"
        " they use up superuser_reserved_connections, too.",
    ),
    (
        r"starting up|not yet accepting|shutting down|in recovery mode",
        "not_accepting_connections",
        "Wait until the server has started, then try again.",
    ),
    (
        r"requires a valid client certificate|certificate authentication failed",
        "client_certificate",
        "Give ssl_cert and ssl_key: a certificate for this role, signed by an authority that the server trusts.",
    ),
    (
        r"server does not support SSL|SSL error|certificate|channel binding",
        "tls_failed",
        "Check ssl_mode, ca_cert, channel_binding and the server's certificate.",
    ),
    (r"could not fork", "login_refused", "The machine is out of processes or memory; its log says more."),
    (
        r"Connection refused|No such file or directory|could not translate|timeout expired|timed out|No route to host"
        r"|Network is unreachable|Permission denied|temporarily unavailable|closed the connection|Connection reset",
        "unreachable",
        "Check that the server runs and that address and port are right and not blocked.",
    ),
)


def require_psycopg2(module: AnsibleModule) -> None:
    """Fail with Ansible's usual sentence when psycopg2 is not there."""
    if PSYCOPG2_ERROR:
        module.fail_json(msg=missing_required_lib("psycopg2"), exception=PSYCOPG2_ERROR)


#: What a server also says of a certificate whose common name is another role's.
_SOMEBODY_ELSES = (
    " Where the rule asks for a certificate, the common name of the one in ssl_cert must be the role's name."
)


def explain_refusal(text: str) -> tuple[str, str]:
    """Code and remedy for the words in which a login was refused."""
    for pattern, code, remedy in REFUSALS:
        if re.search(pattern, text):
            return code, remedy
    return "login_refused", "The server's own words say why; see also its log."


class Server:
    """One open session. ``refusal`` is the one that an ordinary login got, when this is a session for WAL senders."""

    def __init__(self, connection: Any, address: str, refusal: ConnectFailed | None = None) -> None:
        self.connection = connection
        self.address = address
        self.refusal = refusal
        self.version: int = connection.server_version

    def __str__(self) -> str:
        return f"the server at {self.address}"

    @property
    def major(self) -> int:
        return self.version // 10000

    def rows(self, statement: Any, args: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """All rows of a statement; no rows for a statement that returns none."""
        try:
            with self.connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(statement, tuple(args) or None)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        except psycopg2.Error as error:
            raise QueryFailed(
                f"{self} refused a statement: {_words(error)}", sqlstate=error.pgcode, address=self.address
            ) from error

    def row(self, statement: Any, args: Sequence[Any] = ()) -> dict[str, Any]:
        """The first row of a statement that always has one."""
        return self.rows(statement, args)[0]

    def require(self, feature: str, major: int) -> None:
        """Raise unless the server is at least of this major version."""
        if self.major < major:
            raise MissingFeature(
                f"{feature} needs PostgreSQL {major} or newer, but {self} runs {version_text(self.version)}.",
                "Leave the option out, or upgrade the server.",
                needed=major,
                found=version_text(self.version),
            )


def version_text(version: int) -> str:
    """``150018`` as people write it: ``15.18``."""
    return f"{version // 10000}.{version % 10000}"


def _words(error: Exception) -> str:
    return " ".join(str(error).split())


@contextmanager
def connect(login: Login, database: str | None = None, replication: bool = False) -> Iterator[Server]:
    """A session in autocommit mode, closed at the end; a replication session when asked.

    Where every connection is in use, a session of those that are set apart for WAL senders, which takes statements as
    well: who looks after a server gets in when it is full. Raises ConnectFailed with a code that names the cause (see
    REFUSALS).
    """
    kwargs = {**login.kwargs, **({"dbname": database} if database else {})}
    if replication:
        kwargs["connection_factory"] = psycopg2.extras.PhysicalReplicationConnection
        kwargs.pop("dbname", None)
    refusal = None
    try:
        connection = psycopg2.connect(**kwargs)
    except psycopg2.Error as error:
        refusal = refused(login, _words(error), replication)
        connection = None if replication or refusal.code != "too_many_connections" else _reserved(kwargs)
        if connection is None:
            raise refusal from error
    try:
        if not replication:  # those are in autocommit mode always and refuse to be told
            connection.autocommit = True
        yield Server(connection, login.address, refusal)
    finally:
        connection.close()


def _reserved(kwargs: dict[str, Any]) -> Any:
    """A session out of max_wal_senders; None where the role may have none, or none is left."""
    try:
        return psycopg2.connect(**kwargs, replication="database")
    except psycopg2.Error:
        return None


def refused(login: Login, words: str, replication: bool = False) -> ConnectFailed:
    """The error for a login that the server, or the way to it, refused in these words."""
    code, remedy = explain_refusal(words)
    remedy += _SOMEBODY_ELSES if login.ssl_cert and code == "wrong_password" else ""
    purpose = " for replication" if replication else ""
    verb = "gave no answer to" if code == ConnectFailed.code else "refused"
    return ConnectFailed(
        f"{login.address} {verb} the login of '{login.user}'{purpose}: {(own_words(words) or words).rstrip('.')}.",
        remedy,
        code,
        address=login.address,
        server_words=words,
    )


__all__ = [
    "ConnectFailed",
    "PgFleetError",
    "Server",
    "connect",
    "explain_refusal",
    "refused",
    "require_psycopg2",
    "sql",
    "version_text",
]
