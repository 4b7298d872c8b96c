"""The nodes of the cluster together: three standbys follow, each through a slot of its own."""

from __future__ import annotations

import pytest

PAGILA = {
    "actor": 200, "address": 603, "category": 16, "city": 600, "country": 109, "customer": 599, "film": 1000,
    "film_actor": 5462, "film_category": 1000, "inventory": 4581, "language": 6, "payment": 16049, "rental": 16044,
    "staff": 2, "store": 2,
}  # fmt: skip
PAYMENT_PARTITIONS = [723, 2401, 2713, 2547, 2677, 2654, 2334]


def test_standbys_stream(primary, standbys):
    streaming = primary.psql("SELECT application_name, state FROM pg_stat_replication ORDER BY 1").splitlines()
    assert streaming == sorted(f"{standby.name}|streaming" for standby in standbys)


def test_each_standby_has_its_own_active_slot(primary, standbys):
    statement = (
        "SELECT slot_name, slot_type, active, wal_status, application_name FROM pg_replication_slots"
        " LEFT JOIN pg_stat_replication ON pid = active_pid ORDER BY 1"
    )
    expected = sorted(f"{standby.name}_slot|physical|t|reserved|{standby.name}" for standby in standbys)
    assert primary.psql(statement).splitlines() == expected


def test_standby_follows_the_primary(standby, primary):
    assert standby.psql("SELECT pg_is_in_recovery()") == "t"
    receiver = standby.psql("SELECT status, slot_name, sender_host, sender_port FROM pg_stat_wal_receiver")
    assert receiver == f"streaming|{standby.name}_slot|{primary.address}|{primary.port}"
    system = "SELECT system_identifier FROM pg_control_system()"
    assert standby.psql(system) == primary.psql(system)


def test_each_standby_proves_who_it_is_and_asks_for_the_same(primary, standbys):
    shown = (
        "SELECT application_name, version, client_dn FROM pg_stat_replication JOIN pg_stat_ssl USING (pid) ORDER BY 1"
    )
    lines = [line.split("|") for line in primary.psql(shown).splitlines()]
    assert [line[:2] for line in lines] == sorted([standby.name, "TLSv1.3"] for standby in standbys)
    assert all("CN=replicator" in who and f"OU={name}" in who for name, _version, who in lines)
    for standby in standbys:
        words = standby.setting("primary_conninfo")
        assert "sslmode=verify-full" in words and "channel_binding=require" in words and "sslcert=" in words


def test_pagila_is_complete_everywhere(node):
    each = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM public.{table}" for table in PAGILA)
    rows = (line.split("|") for line in node.psql(each, "pagila").splitlines())
    assert {table: int(count) for table, count in rows} == PAGILA
    by_partition = node.psql(
        "SELECT count(*) FROM public.payment GROUP BY tableoid ORDER BY tableoid::regclass::text", "pagila"
    )
    assert [int(count) for count in by_partition.splitlines()] == PAYMENT_PARTITIONS


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE public.actor SET first_name = first_name",
        "CREATE TABLE public.forbidden ()",
        "SELECT nextval('actor_actor_id_seq')",
    ],
    ids=["update", "create", "sequence"],
)
def test_standby_refuses_writes(standby, statement):
    assert "25006: cannot execute" in standby.refusal(statement, "-d pagila")


def test_row_arrives_on_every_standby(primary, standbys, eventually):
    primary.psql("CREATE TABLE public.e2e_probe AS SELECT 'here' AS word")
    try:
        for standby in standbys:
            there = "SELECT to_regclass('public.e2e_probe') IS NOT NULL"
            eventually(lambda node=standby, there=there: node.psql(there) == "t")
            assert standby.psql("SELECT word FROM public.e2e_probe") == "here"
    finally:
        primary.psql("DROP TABLE public.e2e_probe")


def test_replicator_may_replicate_and_nothing_else(primary):
    attributes = "rolcanlogin, rolreplication, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls"
    assert primary.psql(f"SELECT {attributes} FROM pg_roles WHERE rolname = 'replicator'") == "t|t|f|f|f|f"
    assert primary.psql("SELECT has_table_privilege('replicator', 'public.actor', 'SELECT')", "pagila") == "f"


def test_replicator_cannot_log_in_to_a_database(standby, primary):
    words = primary.refusal(
        "SELECT * FROM public.actor",
        f"-h {primary.address} -U replicator -d pagila",
        f"PGPASSFILE={standby.config}/replication.pgpass",
    )
    assert "no pg_hba.conf entry" in words


@pytest.mark.parametrize(
    ("password", "tls", "said"),
    [
        ("PGPASSFILE=/dev/null PGPASSWORD=wrong", "sslcert={pki}/certificate.pem sslkey={pki}/key.pem", "password authentication failed"),
        ("PGPASSFILE={passfile}", "sslmode=require", "requires a valid client certificate"),
        ("PGPASSFILE={passfile}", "sslmode=disable", "no pg_hba.conf entry"),
    ],
    ids=["the password", "its certificate", "TLS"],
)  # fmt: skip
def test_replicator_cannot_replicate_without(primary, password, tls, said):
    files = {"pki": primary.config / "pki/replication", "passfile": primary.config / "replication.pgpass"}
    words = primary.refusal(
        "IDENTIFY_SYSTEM",
        f"-h {primary.address} 'user=replicator dbname=replication replication=true {tls.format(**files)}'",
        password.format(**files),
    )
    assert said in words
