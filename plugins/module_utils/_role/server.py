# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read and change the roles of a fleet."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from .._errors import ConnectFailed, PgFleetError, QueryFailed
from .._postgres.connection import Server, connect, sql
from .._postgres.login import Login
from .plan import REWIND_FUNCTIONS, Role, RolePlan
from .scram import matches, new_verifier

#: A password or its verifier must not get into the server's log, and nobody may be there yet to wait for.
_SESSION = (
    "SET log_statement = 'none'", "SET log_min_duration_statement = -1", "SET log_min_error_statement = 'panic'",
    "SET synchronous_commit = 'local'", "SET search_path = pg_catalog", "SET lc_messages = 'C'",
)  # fmt: skip
_ROLE = """
SELECT r.oid, rolcanlogin AS login, rolreplication AS replication, rolsuper AS super, rolcreatedb AS createdb,
       rolcreaterole AS createrole, rolbypassrls AS bypassrls, rolconnlimit AS connection_limit,
       CASE WHEN rolvaliduntil < 'infinity' THEN rolvaliduntil::text END AS valid_until, rolpassword AS password,
       r.oid = 10 OR rolname = session_user AS essential,
       (SELECT count(*) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = r.oid AND deptype = 'o') AS owns,
       (SELECT coalesce(json_agg(g.rolname::text ORDER BY 1), '[]') FROM pg_auth_members JOIN pg_authid AS g ON g.oid = roleid
         WHERE member = r.oid) AS member_of,
       (SELECT coalesce(json_object_agg(coalesce(datname, ''), setconfig), '{}')
          FROM pg_db_role_setting LEFT JOIN pg_database AS d ON d.oid = setdatabase WHERE setrole = r.oid) AS settings
  FROM pg_authid AS r WHERE rolname = %s
"""


def prepare(server: Server) -> None:
    """What every session that changes a role needs."""
    for statement in _SESSION:
        server.rows(statement)


def read_role(server: Server, name: str, password: str | None) -> tuple[Role | None, str | None]:
    """The role, None when there is none, and what the server keeps of its password."""
    rows = server.rows(_ROLE, (name,))
    if not rows:
        return None, None
    row = rows[0]
    flags = {key: row[key] for key in ("login", "replication", "super", "createdb", "createrole", "bypassrls")}
    stored: str | None = row["password"]
    role = Role(
        name,
        flags,
        row["connection_limit"],
        row["valid_until"],
        password is not None and matches(stored, password),
        stored is not None,
        {database: tuple(lines) for database, lines in row["settings"].items()},
        tuple(row["member_of"]),
        row["owns"],
        row["essential"],
    )
    return role, stored


def apply_role(server: Server, name: str, plan: RolePlan, password: str | None) -> None:
    """All in one transaction: a role is never there by half."""
    role = sql.Identifier(name)
    statements = []
    if plan.create or plan.clauses or plan.password:
        words = [
            sql.SQL("CREATE ROLE {} " if plan.create else "ALTER ROLE {} ").format(role),
            sql.SQL(" ".join(plan.clauses)),
        ]
        if plan.password and password is not None:
            words.append(sql.SQL(" PASSWORD {}").format(sql.Literal(new_verifier(password))))
        statements.append(sql.Composed(words))
    for database in plan.reset:
        where = sql.SQL(" IN DATABASE {}").format(sql.Identifier(database)) if database else sql.SQL("")
        statements.append(sql.SQL("ALTER ROLE {}{} RESET ALL").format(role, where))
    transaction(server, name, statements)


def set_verifier(server: Server, name: str, verifier: str) -> None:
    """Give a role the password back that it had."""
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(verifier))
    transaction(server, name, [statement])


def grant_rewind(server: Server, name: str) -> None:
    """Let the role read the files, and let the control file tell the present timeline."""
    functions = sql.SQL(", ".join(REWIND_FUNCTIONS))
    transaction(server, name, [sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(functions, sql.Identifier(name))])
    server.rows("CHECKPOINT")


def drop_role(server: Server, name: str) -> None:
    """Drop a role that owns nothing, with its privileges."""
    role = sql.Identifier(name)
    transaction(server, name, [sql.SQL("DROP OWNED BY {}").format(role), sql.SQL("DROP ROLE {}").format(role)])


def transaction(server: Server, name: str, statements: list[Any]) -> None:
    """Run statements together. The error has the server's words without the statement, which may hold a secret."""
    try:
        server.rows("BEGIN")
        for statement in statements:
            server.rows(statement)
        server.rows("COMMIT")
    except QueryFailed as error:
        with suppress(PgFleetError):
            server.rows("ROLLBACK")
        words = re.split(r" LINE \d+:", error.message)[0].partition("refused a statement: ")[2] or "no words"
        raise QueryFailed(
            f"{server} refused to change role '{name}': {words}",
            "The server's own words say why; the role is as it was.",
            "role_not_changed",
            sqlstate=error.facts.get("sqlstate"),
        ) from None


def prove_login(login: Login) -> None:
    """Log in for replication, as a standby does. Raises ConnectFailed."""
    with connect(login, replication=True) as server:
        server.rows("IDENTIFY_SYSTEM")


def prove_own_login(login: Login) -> str:
    """The same from the server's own machine; words when it cannot reach itself by that address, which no standby needs."""
    try:
        prove_login(login)
    except ConnectFailed as error:
        if error.code not in ("unreachable", "tls_failed"):
            raise
        return f"The login of '{login.user}' was not tried from this machine: {error.message}"
    return ""
