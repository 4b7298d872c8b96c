"""Values that are wrong, or odd but right: one fleet, built once, that serves and streams after each of them.

A line of the table: an id, variables of site.yml, and either a code and words of the refusal or a query and its answer. Add rows.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

BASE = {"shared_buffers": "16MB"}
PROVE = (
    "CREATE TEMP TABLE proof AS SELECT 1; SELECT count(*) FILTER (WHERE state = 'streaming') FROM pg_stat_replication"
)


def settings(**given: Any) -> dict[str, Any]:
    return {"pg_server_settings": {**BASE, **given}}


#: Refused: variables, the code, and words of the message.
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "huge pages": (settings(huge_pages="on"), "settings_refused", "could not map anonymous shared memory"),
    "library": (settings(shared_preload_libraries=["pg_stat_statements", "nope"]), "settings_refused", "nope"),
    "unknown": (settings(work_memory="5MB"), "settings_refused", "unrecognized configuration parameter"),
    "value": (settings(work_mem="much"), "settings_refused", "invalid value"),
    "combination": (settings(superuser_reserved_connections=500), "settings_refused", "less than max_connections"),
    "memory": (settings(shared_buffers="900GB"), "settings_refused", "could not map anonymous shared memory"),
    "new sessions": (settings(session_preload_libraries="nope"), "settings_refused", "are back"),
    "TLS file": (settings(ssl_cert_file="/nope.crt"), "settings_refused", "/nope.crt"),
    "unequal": (
        settings(max_connections="{{ 300 if inventory_hostname == 'primary' else 100 }}"),
        "standby_below_primary",
        "300 on primary, 100 on node1",
    ),
    "certificates without TLS": ({"pki_mode": "own", "pg_server_tls": False}, "invalid_setting", "pg_server_tls is false"),
    "certificates of some": (
        {"pki_mode": "{{ 'own' if inventory_hostname == 'primary' else 'snakeoil' }}"},
        "certificates_differ",
        "primary would show certificates of the fleet, and node1 would not",
    ),
    "dictionary": (settings(work_mem={"a": 1}), "invalid_setting", "dictionary"),
    "line in a name": ({"pg_server_settings": {"work_mem = 1\nport": 1}}, "invalid_setting", "no name of a setting"),
    "port": (settings(port=1), "invalid_setting", "pg_server_port"),
    "twice": (settings(TimeZone="UTC", timezone="CET"), "invalid_setting", "given twice"),
    "wal_level": (settings(wal_level="minimal"), "invalid_setting", "nothing can be replicated"),
    "hot_standby": (settings(hot_standby=False), "invalid_setting", "hot_standby is off"),
    "read only": (settings(default_transaction_read_only=True), "invalid_setting", "refuse every write"),
    "keep size -1": ({"pg_server_max_slot_wal_keep_size": "-1"}, "invalid_setting", "fill the disk"),
    "keep size": ({"pg_server_max_slot_wal_keep_size": "much"}, "settings_refused", "invalid value"),
    "address": ({"pg_server_listen_addresses": "203.0.113.9"}, "settings_refused", "could not bind"),
    "nobody waited for": ({"pg_server_synchronous": "on"}, "synchronous_nobody", "pg_server_synchronous_strict: true"),
    "quorum of 2": (
        {"pg_server_synchronous": "quorum", "pg_server_synchronous_count": 2, "pg_server_synchronous_strict": True},
        "synchronous_nobody",
        "the fleet has one standby",
    ),
    "count 0": ({"pg_server_synchronous": "on", "pg_server_synchronous_count": 0}, "wrong_option", "pg_server_synchronous_count"),
    "foreign names": (settings(synchronous_standby_names="nobody"), "synchronous_nobody", "would hang"),
    "synchronous": ({"pg_server_synchronous": "perhaps"}, "wrong_option", "pg_server_synchronous"),
    "settings": ({"pg_server_settings": "[1]"}, "wrong_option", "pg_server_settings"),
    "hba host": (
        {"pg_server_hba_rules": [{"contype": "host", "databases": "all", "users": "all", "address": ".example.com", "method": "cert"}]},
        "",
        "cert",
    ),
    "hba method": (
        {"pg_server_hba_rules": [{"contype": "host", "databases": "all", "users": "all", "address": "samenet", "method": "nope"}]},
        "",
        "nope",
    ),
    "password": ({"pg_server_replication_password": "line\nend"}, "password_unusable", ""),
    "password in braces": ({"pg_server_replication_password": "a{{ nobody }}b"}, "wrong_option", "has braces in it"),
    "role": ({"pg_server_replication_user": "x" * 70}, "role_name_invalid", ""),
    "version": ({"pg_server_version": "9"}, "", "version"),
    "cluster": ({"pg_server_cluster": "a/b"}, "", "cluster"),
    "fleet": ({"pg_server_fleet": "a/b"}, "", "pg_server_fleet"),
    "data elsewhere": ({"pg_server_data_directory": "/var/lib/postgresql/elsewhere"}, "data_directory_differs", ""),
}  # fmt: skip

#: Accepted: all at once in one run, with a query for each and its answer on every node.
RIGHT: dict[str, tuple[Any, str, str]] = {
    "list": (["auto_explain", "pg_stat_statements"], "shared_preload_libraries", "auto_explain, pg_stat_statements"),
    "backslash": ("printf '%s\\n' \"it's\"", "restore_command", "printf '%s\\n' \"it's\""),
    "lines": ("a\nb", "archive_cleanup_command", "a\nb"),
    "block": ("5MB\n", "work_mem", "5MB"),
    "float": (0.7, "checkpoint_completion_target", "0.7"),
    "boolean": (True, "log_checkpoints", "on"),
    "number": (75, "max_connections", "75"),
    "upper case": ("CET", "TimeZone", "CET"),
    "extension's": ("x", "app.name_of", "x"),
    "quoted element": (['"$user"', "My Schema"], "search_path", '"$user", "My Schema"'),
    "empty": ("", "log_line_prefix", ""),
}


#: What a server cannot start with, and what only a start shows, for there is no log collector in a trial.
HUGE, NO_LOG = settings(huge_pages="on"), settings(logging_collector=True, log_directory="/proc/nope")


@pytest.fixture(scope="module")
def alone(bare_fleet: Any) -> Any:
    """One primary without standbys and without the sample database."""
    bare_fleet.hosts({"primary": {}}, {})
    bare_fleet.site(pg_server_settings=BASE)
    return bare_fleet


@pytest.fixture(scope="module")
def pair(alone: Any) -> Any:
    alone.hosts({"primary": {}}, {"node1": {}})
    alone.site(pg_server_settings=BASE)
    return alone


def serves(fleet: Any) -> None:
    """The primary takes writes and its standby streams."""
    until(lambda: fleet.psql("primary", PROVE) == "1", "the standby streams", 10)


def started(fleet: Any) -> list[str]:
    return [fleet.psql(node, "SELECT pg_postmaster_start_time()") for node in ("primary", "node1")]


def test_a_primary_alone_goes_on_with_what_it_had(alone: Any) -> None:
    began = alone.psql("primary", "SELECT pg_postmaster_start_time()")
    refused = alone.play("site.yml", **HUGE)
    assert refused.returncode != 0 and "code: settings_refused" in refused.output, refused.output
    assert alone.psql("primary", "SELECT pg_postmaster_start_time()") == began
    tried = alone.play("site.yml", **NO_LOG)
    assert tried.returncode != 0 and "it runs with them" in " ".join(tried.output.split()), tried.output
    assert alone.psql("primary", "CREATE TEMP TABLE proof AS SELECT 1; SHOW logging_collector") == "off"


@pytest.mark.turns(2)
@pytest.mark.parametrize(("given", "code", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_value_is_refused_and_nothing_stops(pair: Any, given: dict[str, Any], code: str, words: str) -> None:
    before = started(pair)
    run = pair.play("site.yml", **{"pg_server_settings": BASE, **given})
    output = re.sub(r"\s+", " ", run.output).replace("''", "'")
    assert run.returncode != 0, run.output
    assert not code or f"code: {code}" in output, run.output
    assert words in output, run.output
    assert started(pair) == before
    serves(pair)


def test_what_only_a_start_shows_costs_the_standby_alone_its_restart(pair: Any) -> None:
    """A trial has no log collector; the file of before comes back, and nobody else is touched."""
    primary = started(pair)[0]
    run = pair.play("site.yml", **NO_LOG)
    output = re.sub(r"\s+", " ", run.output).replace("''", "'")
    assert run.returncode != 0 and "code: settings_refused" in output, run.output
    assert "log_directory = '/proc/nope' (it was not set)" in output and "it runs with them" in output, run.output
    assert started(pair)[0] == primary
    serves(pair)


def test_odd_values_that_are_right_arrive_as_they_were_written(pair: Any) -> None:
    given = {name: value for value, name, _shown in RIGHT.values()}
    pair.psql("primary", "ALTER ROLE replicator NOLOGIN")  # the standby, which restarts, must come back all the same
    pair.site(pg_server_settings={**BASE, **given})
    for node in ("primary", "node1"):
        for _value, name, shown in RIGHT.values():
            assert pair.psql(node, f"SHOW {name}") == shown
        assert pair.psql(node, "SELECT count(*) FROM pg_settings WHERE pending_restart") == "0"
    assert pair.site(pg_server_settings={**BASE, **given}).changed == 0
    pair.site(pg_server_settings=BASE)
    assert pair.psql("primary", "SHOW work_mem") == "4MB", "what leaves the inventory leaves the servers"
    serves(pair)


def test_a_setting_that_waits_stops_nobody_in_a_rolling_restart(pair: Any) -> None:
    pair.psql("primary", "ALTER SYSTEM SET huge_pages = on")
    before = started(pair)
    try:
        run = pair.play("playbooks/restart.yml", pg_server_settings=BASE)
    finally:
        pair.psql("primary", "ALTER SYSTEM RESET huge_pages")
    assert run.returncode != 0 and "code: settings_refused" in run.output, run.output
    assert "postgresql.auto.conf" in run.output
    assert started(pair) == before
    serves(pair)


def test_what_alter_system_overrides_is_a_finding_and_all_is_not_well(pair: Any) -> None:
    pair.psql("primary", "ALTER SYSTEM SET max_slot_wal_keep_size = -1")
    pair.psql("primary", "SELECT pg_reload_conf()")
    try:
        document = pair.status()
    finally:
        pair.psql("primary", "ALTER SYSTEM RESET max_slot_wal_keep_size")
        pair.psql("primary", "SELECT pg_reload_conf()")
    found = [each for each in document["findings"] if each["code"] == "setting_overridden"]
    assert len(found) == 1 and "postgresql.auto.conf says '-1'" in str(found[0]), document
    assert "ALTER SYSTEM RESET max_slot_wal_keep_size" in str(found[0])


@pytest.mark.skipif(os.geteuid() != 0, reason="changes files of root and postgres")
def test_what_hands_have_changed_is_made_good_by_the_next_run(pair: Any) -> None:
    """Files, rules, roles, slots and recovery settings, all at once; the run after it changes nothing."""
    etc = {node: Path(pair.psql(node, "SHOW config_file")).parent for node in ("primary", "node1")}
    settings, rules = etc["node1"] / "conf.d/pgfleet.conf", etc["primary"] / "pg_hba.conf"
    passfile, auto = (
        etc["node1"] / "replication.pgpass",
        Path(pair.psql("node1", "SHOW data_directory")) / "postgresql.auto.conf",
    )
    before = {path: path.read_text() for path in (settings, rules, passfile)}

    pair.stop("node1")
    settings.write_text(f"{before[settings]}work_mem = '1MB'\n")
    rules.write_text("".join(line for line in before[rules].splitlines(keepends=True) if "replication" not in line))
    passfile.chmod(0o644)
    auto.write_text(auto.read_text().replace("application_name=node1", "application_name=somebody"))
    pair.psql("primary", "SELECT pg_drop_replication_slot('node1_slot')")
    pair.psql("primary", "ALTER ROLE replicator SUPERUSER CONNECTION LIMIT 0 VALID UNTIL '2020-01-01'")

    pair.site(pg_server_settings=BASE)
    assert {path: path.read_text() for path in before} == before
    assert passfile.stat().st_mode & 0o777 == 0o600
    role = "SELECT rolsuper, rolconnlimit, rolvaliduntil FROM pg_roles WHERE rolname = 'replicator'"
    assert pair.psql("primary", role) in ("f|-1|", "f|-1|infinity")
    serves(pair)
    streams = (
        "SELECT application_name, slot_name FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid"
    )
    assert pair.psql("primary", streams) == "node1|node1_slot"
    assert pair.site(pg_server_settings=BASE).changed == 0
