"""Every node of the cluster: one server, set up as the others are."""

from __future__ import annotations

import ipaddress


def listening_addresses(node) -> set[str]:
    """IPv4 addresses that something listens on at the node's port, as the kernel says."""
    rows = [line.split() for line in node.shell("cat /proc/net/tcp").splitlines()][1:]
    found = [row[1].split(":") for row in rows if row[3] == "0A"]
    return {str(ipaddress.ip_address(bytes.fromhex(host)[::-1])) for host, port in found if int(port, 16) == node.port}


def postmaster(node) -> int:
    return int(node.shell(f"head -1 {node.setting('data_directory')}/postmaster.pid"))


def test_server_listens_on_its_addresses_only(node):
    assert listening_addresses(node) == {"127.0.0.1", node.address}


def test_debian_tools_know_the_cluster(node):
    listed = [line.split() for line in node.shell("pg_lsclusters --no-header").splitlines()]
    status = [line[3] for line in listed if line[1] == node.cluster and int(line[2]) == node.port]
    assert status == ["online" if node.is_primary else "online,recovery"]


def test_server_runs_as_postgres_and_may_use_every_cpu(node):
    fields = f"awk '/^Uid|^Cpus_allowed:/ {{print $2}}' /proc/{postmaster(node)}/status; awk '/^Cpus_allowed:/ {{print $2}}' /proc/1/status"
    uid, own_cpus, all_cpus = node.shell(fields).splitlines()
    assert uid == node.shell("id -u postgres")
    assert own_cpus == all_cpus


def test_locale_and_checksums(node):
    assert node.psql(
        "SELECT DISTINCT datcollate || ' ' || datctype || ' ' || pg_encoding_to_char(encoding) FROM pg_database"
    ) == ("en_US.UTF-8 en_US.UTF-8 UTF8")
    assert node.setting("data_checksums") == "on"


def test_settings_are_in_force(node):
    assert node.setting("cluster_name") == node.name
    assert node.setting("password_encryption") == "scram-sha-256"
    assert node.setting("hot_standby") == "on"
    timeout = node.psql("SELECT reset_val FROM pg_settings WHERE name = 'tcp_user_timeout'")
    assert timeout == "30000", "an unresponsive standby must not hold up the checkpoint that gives its slot up"
    assert node.psql("SELECT setting::bigint > 0 FROM pg_settings WHERE name = 'max_slot_wal_keep_size'") == "t"
    assert node.psql("SELECT name FROM pg_settings WHERE pending_restart") == ""
    assert node.psql("SELECT sourcefile, error FROM pg_file_settings WHERE error IS NOT NULL") == ""


def test_our_settings_are_in_one_file(node):
    files = node.psql(
        "SELECT DISTINCT sourcefile FROM pg_settings WHERE name IN ('port', 'wal_level', 'max_slot_wal_keep_size')"
    )
    assert files == str(node.config / "conf.d/pgfleet.conf")


def test_hba_lets_replicator_in_for_replication_from_single_addresses_only(node):
    assert node.psql("SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == "0"
    over_tcp = "SELECT DISTINCT database, user_name, netmask, auth_method FROM pg_hba_file_rules WHERE type LIKE 'host%' ORDER BY 1"
    assert node.psql(over_tcp).splitlines() == [
        "{postgres}|{pgfleet_rewind}|255.255.255.255|scram-sha-256",  # a role that exists only while a node is rewound
        "{replication}|{replicator}|255.255.255.255|scram-sha-256",
    ]
    assert node.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'pgfleet_rewind'") == "0"
    assert node.psql("SELECT DISTINCT auth_method FROM pg_hba_file_rules WHERE type = 'local'") == "peer"


def test_secret_is_in_a_file_that_only_postgres_reads(node):
    # A standby uses it now, the primary when it has become one.
    assert node.shell(f"stat -c '%U %G %a' {node.config}/replication.pgpass") == "postgres postgres 600"


def test_password_is_in_no_other_file(node):
    password = node.shell(f"head -1 {node.config}/replication.pgpass").rsplit(":", 1)[1]
    assert len(password) >= 16
    data = node.setting("data_directory")
    places = f"{node.config} {data}/postgresql.auto.conf {data}/global {data}/pg_wal /var/log/postgresql"
    found = node.shell(f"grep -rlF -e {password} {places} || true").splitlines()
    assert [path for path in found if not path.endswith("/replication.pgpass")] == []


def test_data_directory_is_private(node):
    assert node.shell(f"stat -c '%U %a' {node.setting('data_directory')}") == "postgres 700"
