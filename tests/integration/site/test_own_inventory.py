"""An inventory as somebody writes it who knows nothing of ours: INI, where every value is a string."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.fleet import Fleet, own_place

INVENTORY = """
[postgres:children]
pg_primary
pg_standby

[pg_primary]
primary pg_server_port={port}

[pg_standby]

[postgres:vars]
ansible_connection=local
ansible_python_interpreter=/usr/bin/python3
ansible_become_method={{{{ 'su' if lookup('pipe', 'id -u') == '0' else 'sudo' }}}}
pg_server_repository=distribution
pg_server_cluster={{{{ pg_server_fleet }}}}_{{{{ inventory_hostname }}}}
pg_server_address=127.0.0.1
pg_server_listen_addresses=127.0.0.1
pg_server_min_free_mb=64
pg_server_manage_hosts=false
pg_server_tls=no
pg_server_synchronous_strict=false
pg_server_settings={{"shared_buffers":"32MB","work_mem":"5MB"}}
pg_server_hba_rules=[{{'contype': 'host', 'databases': 'all', 'users': 'all', 'address': '192.0.2.0/24', 'method': 'scram-sha-256'}}]
pg_server_removed=
"""
HOSTS = Path("/etc/hosts")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with own_place() as (name, ports):
        folder = tmp_path_factory.mktemp("own")
        made = Fleet(folder, name, ports)
        made.inventory = folder / "own.ini"
        made.inventory.write_text(INVENTORY.format(port=ports["primary"]))
        if any(Path("/etc/postgresql").glob(f"*/{name}_primary")):  # of a run that was killed
            made.destroy()
        yield made
        made.destroy()


def test_strings_are_what_they_say(fleet: Fleet) -> None:
    names_of_hosts = HOSTS.read_text()
    fleet.site(pagila_load_enabled="yes", pg_server_confirm_wait="30")
    assert HOSTS.read_text().count(fleet.name) == names_of_hosts.count(fleet.name) == 0
    values = "SELECT string_agg(setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN ('ssl', 'work_mem', 'synchronous_standby_names')"
    assert fleet.psql("primary", values) == "off  5120"
    rules = "SELECT count(*) FROM pg_hba_file_rules WHERE address = '192.0.2.0' AND netmask = '255.255.255.0'"
    assert fleet.psql("primary", rules) == "1"


def test_sample_data_only_where_it_is_asked_for_and_nothing_is_dropped(fleet: Fleet) -> None:
    run = fleet.site()
    assert run.changed == 0, run.output
    assert "Count the rows" not in run.output
    assert fleet.psql("primary", "SELECT count(*) FROM film", "pagila") == "1000"
    assert fleet.status()["pagila"]["source"] == "generated"
