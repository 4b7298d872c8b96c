# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Following, Login
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.recovery import (
    DEAD_PEER,
    make_conninfo,
    parse_conninfo,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.settings import write_settings

DEFAULTS = {name: option.get("default") for name, option in connection_spec().items()}
TCP = Login("node1", 5433, user="replicator", password="secret", ca_cert="/ca.pem", passfile="/pass")


def test_the_defaults_are_those_of_the_options() -> None:
    assert Login.from_params(DEFAULTS) == Login()


def test_a_standby_that_reads_the_archive_has_no_slot() -> None:
    given = {**DEFAULTS, "slot": "", "application_name": "b", "upstream": "archive"}
    assert Following.from_params(given).recovery.fresh() == {"primary_conninfo": "", "primary_slot_name": ""}
    with pytest.raises(InvalidInput, match="Slot 'b_slot' was given"):
        Following.from_params({**given, "slot": "b_slot"})


def test_an_option_that_a_module_does_not_have_has_its_default() -> None:
    given = {"login_user": "replicator", "passfile": "/pass", "timeout": 60}
    assert Login.from_params(given) == Login(user="replicator", passfile="/pass")


@pytest.mark.parametrize(
    ("login", "address"),
    [
        (Login(), "the default socket:5432"),
        (Login(unix_socket="/run", port=5433), "/run:5433"),
        (Login(host="node1", unix_socket="/run"), "node1:5432"),
    ],
)
def test_address(login: Login, address: str) -> None:
    assert login.address == address


def test_a_socket_needs_no_keepalive_and_nothing_that_is_empty_is_given() -> None:
    assert Login().pairs == {"user": "postgres", "port": "5432", "sslmode": "prefer"}
    assert TCP.pairs == {
        "user": "replicator", "host": "node1", "port": "5433", "sslmode": "prefer", "sslrootcert": "/ca.pem", **DEAD_PEER,
    }  # fmt: skip


def test_only_the_session_has_the_password() -> None:
    assert TCP.kwargs["password"] == "secret" and TCP.kwargs["application_name"] == "pgfleet"
    assert "secret" not in repr(TCP) and "password" not in TCP.pairs


def test_a_standby_follows_by_its_passfile_and_slot() -> None:
    given = {**DEFAULTS, "login_host": "node1", "passfile": "/pass", "slot": "a", "application_name": None}
    recovery = Following.from_params(given).recovery
    assert (recovery.conninfo["passfile"], recovery.slot) == ("/pass", "a")
    assert "application_name" not in recovery.conninfo


def test_certificates_that_are_not_wanted_any_more_leave_the_conninfo_and_those_of_others_stay() -> None:
    plain = Following(Login("node1", user="replicator")).recovery
    own = {
        "sslrootcert": "/x/pki/ca.pem",
        "sslcert": "/x/pki/replication/certificate.pem",
        "channel_binding": "require",
    }
    for extra, stays in ((own, False), ({"sslcert": "/mine.pem", "channel_binding": "require"}, True)):
        text = write_settings("", {"primary_conninfo": make_conninfo({**plain.conninfo, **extra})})
        needed = plain.needed(text)
        assert bool(needed) is not stays
        assert stays or not set(extra) & set(parse_conninfo(needed["primary_conninfo"]))


def test_tls_as_libpq_calls_it() -> None:
    login = Login(
        "node1",
        hostaddr="192.0.2.1",
        ssl_mode="verify-full",
        ca_cert="/ca",
        ssl_cert="/c",
        ssl_key="/k",
        channel_binding="require",
    )
    wanted = {
        "host": "node1", "hostaddr": "192.0.2.1", "sslmode": "verify-full", "sslrootcert": "/ca", "sslcert": "/c",
        "sslkey": "/k", "channel_binding": "require",
    }  # fmt: skip
    assert wanted.items() <= login.pairs.items()
    assert wanted.items() <= login.kwargs.items()
    socket = replace(login, host="", hostaddr="", unix_socket="/run")
    assert not {"sslcert", "sslkey", "channel_binding", "sslrootcert"} & set(socket.pairs)
    assert (login.reached_at, login.place, login.address) == ("192.0.2.1", "node1", "node1:5432")
