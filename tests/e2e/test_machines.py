"""Nodes that are machines, virtual ones or containers: their identity, their network, their service, and who is kept out."""

from __future__ import annotations

import contextlib
import os
import re
import socket

import psycopg2
import pytest


def test_host_name(node):
    assert node.shell("hostname; cat /etc/hostname").split() == [node.name, node.name]


def test_address_is_static(node):
    addresses = node.shell("ip -4 -oneline address show scope global").splitlines()
    assert [line.split()[3] for line in addresses] == [f"{node.address}/24"]
    assert " dynamic " not in addresses[0]
    files = node.root(
        "cat /etc/netplan/*.yaml /etc/systemd/network/* /run/systemd/network/* 2>/dev/null; cat /sys/class/net/[eh]*/address"
    )
    mac = files.splitlines()[-1]
    assert files.lower().count(mac) > 1, "it is matched on its MAC address"
    assert f"{node.address}/24" in files
    assert not re.search(r"dhcp4: true|DHCP=(yes|true|ipv4)", files)


def test_every_node_is_known_by_name(node, nodes):
    names = " ".join(other.name for other in nodes)
    first = f"for name in {names}; do echo $name $(getent ahostsv4 $name | head -n 1); done"
    known = dict(line.split()[:2] for line in node.shell(first).splitlines())
    for other in nodes:
        assert known[other.name] == other.address
    entries = [line.split() for line in node.shell("cat /etc/hosts").splitlines()]
    for other in nodes:
        assert [other.address, other.name] in entries


def test_service_runs_and_starts_with_the_machine(node):
    version = node.setting("server_version").split(".")[0]
    unit = f"postgresql@{version}-{node.cluster}"
    assert node.shell(f"systemctl is-active {unit}; systemctl is-enabled postgresql").split() == ["active", "enabled"]
    assert node.shell(f"cat {node.config}/start.conf 2>/dev/null || echo auto").split()[-1] == "auto"
    assert version == "17"


def test_files_of_the_server(node):
    files = "pg_hba.conf conf.d/pgfleet.conf replication.pgpass"
    assert node.root(f"cd {node.config} && stat -c '%n %U %G %a' {files}").splitlines() == [
        "pg_hba.conf postgres postgres 640",
        "conf.d/pgfleet.conf postgres postgres 644",
        "replication.pgpass postgres postgres 600",
    ]


def test_machine_has_the_host_key_that_was_made_for_it(node):
    assert node.root("ls /etc/ssh/ssh_host_*_key").split() == ["/etc/ssh/ssh_host_ed25519_key"]
    assert node.root("stat -c '%U %a' /etc/ssh/ssh_host_ed25519_key") == "root 600"


def test_nobody_logs_in_with_a_password(node):
    effective = node.root("sshd -T").splitlines()
    assert "passwordauthentication no" in effective
    locked = [line.split(":") for line in node.root("cat /etc/shadow").splitlines()]
    assert all(fields[1].startswith(("!", "*")) for fields in locked)


def test_address_that_is_not_listed_is_refused(node):
    with pytest.raises(psycopg2.OperationalError, match=r"no pg_hba.conf entry for host"):
        psycopg2.connect(host=node.address, port=node.port, user="postgres", dbname="pagila", connect_timeout=20)


def test_not_even_the_replication_role_comes_from_elsewhere(node):
    with pytest.raises(psycopg2.OperationalError, match=r"no pg_hba.conf entry for replication connection"):
        psycopg2.connect(
            f"host={node.address} port={node.port} user=replicator replication=true password=none connect_timeout=20"
        )


def test_machines_may_use_every_cpu_of_the_hypervisor():
    """Only where the hypervisor is this machine: a server started by a pinned process stays pinned."""
    everything = os.sched_getaffinity(1)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        # A process may end while it is looked at.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/cmdline", "rb") as words:
            if b"qemu-system" in words.read().split(b"\0")[0]:
                assert os.sched_getaffinity(int(pid)) == everything


def test_only_ssh_and_postgres_answer(node):
    rows = [line.split() for line in node.shell("cat /proc/net/tcp /proc/net/tcp6").splitlines()]
    loopback = ("0100007F", "00000000000000000000000001000000")
    open_ports = {
        int(row[1].split(":")[1], 16)
        for row in rows
        if row[3] == "0A" and not row[1].startswith(loopback) and not row[1].startswith(("3500007F", "3600007F"))
    }
    assert open_ports == {22, node.port}
    with socket.create_connection((node.address, 22), timeout=10) as connection:
        assert connection.recv(4) == b"SSH-"
