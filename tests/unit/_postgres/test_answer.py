"""What the words and codes of a failed login mean."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.answer import (
    NO_REPLY,
    SAID,
    SPOKEN,
    answer_of,
    answer_of_sqlstate,
    own_words,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import explain_refusal
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.knock import Knock, read_reply

AT = 'connection to server on socket "/run/.s.PGSQL.5432" failed: '
WORDS: dict[str, tuple[str, str]] = {
    "full": (f"{AT}FATAL: sorry, too many clients already", "too_many_clients"),
    "full but for the reserved": (f"{AT}FATAL: remaining connection slots are reserved for non-replication superuser connections", "too_many_clients"),
    "full, PostgreSQL 16": (f"{AT}FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute", "too_many_clients"),
    "the role's limit": (f'{AT}FATAL: too many connections for role "app"', "too_many_clients"),
    "the database's limit": (f'{AT}FATAL: too many connections for database "shop"', "too_many_clients"),
    "no rule": (f'{AT}FATAL: no pg_hba.conf entry for host "[local]", user "postgres", database "postgres", no encryption', "rejected_by_hba"),
    "a rule that rejects": (f'{AT}FATAL: pg_hba.conf rejects connection for host "[local]", user "postgres"', "rejected_by_hba"),
    "a wrong password": (f'{AT}FATAL: password authentication failed for user "postgres"', "authentication_failed"),
    "no password": (f"{AT}fe_sendauth: no password supplied", "authentication_failed"),
    "another system user": (f'{AT}FATAL: Peer authentication failed for user "postgres"', "authentication_failed"),
    "LDAP": (f'{AT}FATAL: LDAP authentication failed for user "postgres"', "authentication_failed"),
    "a certificate": (f'{AT}FATAL: certificate authentication failed for user "postgres"', "authentication_failed"),
    "no such role": (f'{AT}FATAL: role "postgres" does not exist', "authentication_failed"),
    "NOLOGIN": (f'{AT}FATAL: role "postgres" is not permitted to log in', "authentication_failed"),
    "starting": (f"{AT}FATAL: the database system is starting up", "starting_up"),
    "recovering from a crash": (f"{AT}FATAL: the database system is in recovery mode", "starting_up"),
    "not consistent": (
        f"{AT}FATAL: the database system is not yet accepting connections DETAIL: Consistent recovery state has not been yet reached.",
        "starting_up",
    ),
    "closed to readers": (f"{AT}FATAL: the database system is not accepting connections DETAIL: Hot standby mode is disabled.", "hot_standby_off"),
    "stopping": (f"{AT}FATAL: the database system is shutting down", "shutting_down"),
    "no process for it": (f"{AT}could not fork new process for connection: Resource temporarily unavailable", "refused"),
    "no such database": (f'{AT}FATAL: database "postgres" does not exist', "refused"),
    "a database that takes nobody": (f'{AT}FATAL: database "postgres" is not currently accepting connections', "refused"),
    "words that nobody knows": (f"{AT}FATAL: tut mir leid, schon zu viele Verbindungen", "refused"),
    "no socket": (f"{AT}No such file or directory Is the server running locally?", "connection_refused"),
    "nobody listens": ('connection to server at "192.0.2.1", port 5432 failed: Connection refused', "connection_refused"),
    "it hung up": (f"{AT}server closed the connection unexpectedly", "connection_refused"),
    "no answer": (f"{AT}timeout expired", "timed_out"),
    "no answer from the machine": ('connection to server at "192.0.2.1", port 5432 failed: Connection timed out', "timed_out"),
    "the queue of a frozen server is full": (f"{AT}Resource temporarily unavailable", "timed_out"),
    "no way": ('connection to server at "192.0.2.1", port 5432 failed: No route to host', "unreachable"),
    "no network": ('connection to server at "192.0.2.1", port 5432 failed: Network is unreachable', "unreachable"),
    "no such name": ('could not translate host name "nowhere" to address: Name or service not known', "unreachable"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "answer"), WORDS.values(), ids=WORDS.keys())
def test_words(words: str, answer: str) -> None:
    assert answer_of(explain_refusal(words)[0], words) == answer
    assert answer in SPOKEN | NO_REPLY
    assert answer in SAID
    assert bool(own_words(words)) == ("FATAL" in words)


def test_own_words_are_those_of_the_last_attempt() -> None:
    both = 'at "::1" failed: FATAL:  no rule, SSL encryption connection to server at "::1" failed: FATAL:  no rule, no encryption'
    assert own_words(both) == "no rule, no encryption"


@pytest.mark.parametrize(
    ("sqlstate", "phase", "answer"),
    [
        ("53300", "ready", "too_many_clients"),
        ("28000", "ready", "rejected_by_hba"),
        ("28P01", "ready", "authentication_failed"),
        ("57P03", "starting", "starting_up"),
        ("57P03", "stopping", "shutting_down"),
        ("57P03", "standby", "hot_standby_off"),
        ("57P03", "", "starting_up"),
        ("3D000", "ready", "refused"),
        ("", "", "refused"),
    ],
)
def test_codes(sqlstate: str, phase: str, answer: str) -> None:
    assert answer_of_sqlstate(sqlstate, phase) == answer


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (b"E\0\0\0\x40SSCHWERWIEGEND\0VFATAL\0C53300\0Mtut mir leid\0\0", Knock(True, "53300", "tut mir leid")),
        (b"R\0\0\0\x08\0\0\0\0", Knock(True)),
        (b"Ecould not fork new process\n\0", Knock(True)),
        (b"", Knock(False)),
    ],
    ids=["an error", "a question for a password", "an error of the old kind", "nothing"],
)
def test_reply(reply: bytes, found: Knock) -> None:
    assert read_reply(reply).answered == found.answered
    assert read_reply(reply).sqlstate == found.sqlstate
