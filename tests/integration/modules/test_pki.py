"""The role pki on local nodes of two fleets: own authority, three steps to a new one, certificates that are given."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import (
    Certificate,
    certificates_of,
    leaf_of,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.tests.certs import authority, certificate, key_text
from ansible_collections.pgfleet.cluster.tests.integration.fleet import Run

ROOT = Path(__file__).resolve().parents[3]
FLEETS = {"n1": "east", "n2": "east", "w1": "west"}
CERTIFICATES = [
    {"name": "server", "common_name": "{{ inventory_hostname }}", "names": ["{{ inventory_hostname }}", "127.0.0.1"]},
    {"name": "replication", "common_name": "replicator", "unit": "{{ inventory_hostname }}", "usages": ["client"]},
]


class Control:
    """A control machine with its secrets, and nodes that are directories."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        hosts = {name: {"pg_server_fleet": fleet} for name, fleet in FLEETS.items()}
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "/usr/bin/python3",
            "pg_server_secrets_directory": f"{folder}/secrets/{{{{ pg_server_fleet }}}}",
            "pki_node_directory": f"{folder}/nodes/{{{{ inventory_hostname }}}}/pki",
            "pki_owner": getpass.getuser(),
            "pki_certificates": CERTIFICATES,
        }
        (folder / "hosts.yml").write_text(yaml.safe_dump({"postgres": {"hosts": hosts, "vars": variables}}))
        facts = {
            "ansible.builtin.copy": {
                "dest": f"{folder}/facts-{{{{ inventory_hostname }}}}",
                "content": "{{ pki_facts | to_json }}",
            }
        }
        role = {"ansible.builtin.import_role": {"name": "pgfleet.cluster.pki", "rolespec_validate": False}}
        play = {
            "hosts": "postgres",
            "gather_facts": False,
            "tasks": [role, {**facts, "changed_when": False, "check_mode": False}],
        }
        (folder / "play.yml").write_text(yaml.safe_dump([play]))

    def play(self, *arguments: str, **variables: Any) -> Run:
        done = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), "-i", f"{self.folder}/hosts.yml", f"{self.folder}/play.yml",
             "-e", json.dumps(variables), *arguments],
            cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        )  # fmt: skip
        return Run(done.returncode, done.stdout)

    def well(self, *arguments: str, **variables: Any) -> Run:
        run = self.play(*arguments, **variables)
        assert run.returncode == 0, run.output
        assert "PRIVATE KEY" not in run.output
        return run

    def facts(self, node: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"facts-{node}").read_text())["postgresql"]
        return found

    def leaf(self, node: str, name: str = "server") -> Certificate:
        return leaf_of((self.folder / f"nodes/{node}/pki/{name}/certificate.pem").read_text())

    def trusted(self, node: str) -> list[str]:
        return [each.fingerprint for each in certificates_of((self.folder / f"nodes/{node}/pki/ca.pem").read_text())]

    def authority(self, fleet: str, which: str = "current") -> Certificate:
        return leaf_of((self.folder / f"secrets/{fleet}/pki/{which}/certificate.pem").read_text())


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Control:
    return Control(tmp_path_factory.mktemp("pki"))


def test_nothing_in_check_mode(control: Control) -> None:
    run = control.well("--check")
    assert run.changed == 2 * len(FLEETS)
    assert not (control.folder / "nodes").exists() and not (control.folder / "secrets").exists()


def test_each_fleet_has_its_own_authority(control: Control) -> None:
    run = control.well("-vvv")
    assert run.changed == len(FLEETS) + 2, "every node, and one of each fleet for its authority"
    for node, fleet in FLEETS.items():
        theirs = control.authority(fleet)
        assert control.trusted(node) == [theirs.fingerprint] and theirs.key_id == control.leaf(node).authority_key_id
        assert control.leaf(node).names == (node, "127.0.0.1")
        assert control.leaf(node, "replication").common_name == "replicator"
        facts = control.facts(node)
        assert facts["mode"] == "own" and facts["changed"] is True
        assert facts["certificates"]["server"]["key"] == f"{control.folder}/nodes/{node}/pki/server/key.pem"
    assert control.authority("east").fingerprint != control.authority("west").fingerprint
    nodes = [path.name for path in (control.folder / "nodes").rglob("*.pem")]
    assert set(nodes) == {"ca.pem", "certificate.pem", "key.pem"}
    key = control.folder / "secrets/east/pki/current/key.pem"
    assert key.stat().st_mode & 0o777 == 0o600 and key.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_run_changes_nothing(control: Control) -> None:
    run = control.well("--diff")
    assert run.changed == 0 and run.output.count("\nTASK [") == 4, run.output
    assert control.facts("n1")["changed"] is False


def test_a_new_authority_in_three_steps(control: Control) -> None:
    old, first = control.authority("east"), control.leaf("n1")
    control.well("--limit", "n1,n2", pki_authority_state="introduced")
    new = control.authority("east", "next")
    assert control.trusted("n1") == [old.fingerprint, new.fingerprint] and control.leaf("n1") == first
    control.well("--limit", "n1,n2", pki_authority_state="activated")
    assert control.trusted("n2") == [new.fingerprint, old.fingerprint]
    assert control.leaf("n1").authority_key_id == new.key_id == control.leaf("n2", "replication").authority_key_id
    run = control.well("--limit", "n1", pki_authority_state="retired")
    assert run.changed == 2 and control.trusted("n1") == [new.fingerprint]
    keys = [str(path) for path in (control.folder / "secrets/east").rglob("key.pem")]
    assert keys == [str(control.folder / "secrets/east/pki/current/key.pem")]
    control.well("--limit", "n2")
    assert control.trusted("n2") == [new.fingerprint], "a node that was away"
    assert control.authority("west").fingerprint == control.trusted("w1")[0]


def test_a_control_machine_that_lost_its_authority(control: Control) -> None:
    secrets = control.folder / "secrets/west"
    secrets.rename(control.folder / "lost")
    refused = control.play("--limit", "w1")
    assert refused.returncode and "of whom the control machine knows nothing" in refused.output
    assert control.authority("west").fingerprint not in control.trusted("w1")


def test_a_key_with_a_passphrase(control: Control) -> None:
    secrets, nodes = f"{control.folder}/sealed", f"{control.folder}/sealed-nodes/{{{{ inventory_hostname }}}}"
    places = {"pki_directory": secrets, "pki_node_directory": nodes}
    run = control.well("--limit", "n1", "-vvv", pki_authority_passphrase="correct horse", **places)
    assert "correct horse" not in run.output
    assert "ENCRYPTED" in Path(secrets, "current/key.pem").read_text()
    assert control.well("--limit", "n1", **places).changed == 0, "it is needed only where something is issued"


def test_other_ways_to_have_certificates(control: Control) -> None:
    """They are given to n1, n2 has none, and w1 has those of its machine."""
    given = control.folder / "given"
    (given / "n1").mkdir(parents=True)
    mode = "{{ {'n1': 'given', 'n2': 'off'}.get(inventory_hostname, 'snakeoil') }}"
    options = {
        "pki_mode": mode,
        "pki_given_directory": str(given),
        "pki_node_directory": f"{control.folder}/given-node",
    }
    now = datetime.now(timezone.utc)
    begin = now - timedelta(days=1)
    for wanted in (
        Wanted("server", "n1", names=("n1", "127.0.0.1")),
        Wanted("replication", "replicator", usages=("client",)),
    ):
        (given / f"n1/{wanted.name}.pem").write_text(certificate(wanted, now=now, begin=begin))
        (given / f"n1/{wanted.name}.key").write_text(key_text(wanted.name))
    refused = control.play("--limit", "n1", **options)
    assert refused.returncode and f"has no file '{given}/ca.pem'" in refused.output
    (given / "ca.pem").write_text(authority(begin=begin))
    assert control.well("-vvv", **options).changed == 1
    assert control.facts("n1")["mode"] == "given" and control.facts("n1")["ca_file"]
    assert control.facts("n2") == {"mode": "off", "ca_file": "", "certificates": {}, "changed": False}
    assert control.facts("w1")["certificates"]["server"]["certificate"] == "/etc/ssl/certs/ssl-cert-snakeoil.pem"
    assert control.well(**options).changed == 0
