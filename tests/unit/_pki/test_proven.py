"""What the first look has proven about the certificates of a node, so that role pki is not called."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.flaws import NOT_ITS_KEY
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._pki.proven import are_kept
from ansible_collections.pgfleet.cluster.tests.certs import BEGIN, NOW, authority, certificate

WANTED: list[dict[str, Any]] = [
    {"name": "server", "common_name": "node1", "names": ["node1", "192.0.2.1"]},
    {"name": "replication", "common_name": "replicator", "unit": "node1", "usages": ["client"]},
]
OWN = {"trusted": authority(), "signer": authority(), "known": []}
GIVEN = {"trusted": authority(), "signer": "", "known": []}
FILES = {"certificate.pem": ["postgres", "0644"], "key.pem": ["postgres", "0600"]}


def described() -> dict[str, Any]:
    found = {
        each["name"]: {"text": certificate(Wanted.from_params(each)), "verdict": [0, ""], "files": dict(FILES)}
        for each in WANTED
    }
    return {"authorities": authority(), "authorities_mode": "0644", "found": found}


def but(path: str, value: Any) -> dict[str, Any]:
    """The same with one thing that is different; None takes it away."""
    changed = deepcopy(described())
    *names, last = path.split("/")
    place = changed
    for name in names:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return changed


FAULTS: dict[str, dict[str, Any]] = {
    "nothing known": {},
    "a certificate was removed": but("found/server", None),
    "its text is none": but("found/server/text", "x"),
    "a key was removed": but("found/replication/files/key.pem", []),
    "another key": but("found/server/verdict", [NOT_ITS_KEY, ""]),
    "another authority issued it": but("found/replication/verdict", [20, "unable to get local issuer certificate"]),
    "everybody may read the key": but("found/server/files/key.pem", ["postgres", "0644"]),
    "the key is somebody's": but("found/server/files/key.pem", ["root", "0600"]),
    "the certificate cannot be read": but("found/server/files/certificate.pem", ["postgres", "0600"]),
    "other authorities": but("authorities", authority() + authority("second")),
    "no authorities": but("authorities", ""),
    "authorities that nobody can read": but("authorities_mode", "0600"),
}


def test_as_wanted() -> None:
    assert are_kept(described(), OWN, WANTED, "postgres", 60, NOW) is True


@pytest.mark.parametrize("found", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_role_pkis_to_correct(found: dict[str, Any]) -> None:
    assert are_kept(found, OWN, WANTED, "postgres", 60, NOW) is False


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        (0, "names", ["node1", "192.0.2.2"]),
        (0, "common_name", "node2"),
        (0, "mode", "0640"),
        (0, "group", "ssl-cert"),
        (0, "combined", True),
        (1, "common_name", "repl"),
        (1, "unit", "node2"),
        (1, "usages", ["client", "server"]),
    ],
)
def test_something_else_is_wanted(name: int, option: str, value: Any) -> None:
    wanted = deepcopy(WANTED)
    wanted[name][option] = value
    assert are_kept(described(), OWN, wanted, "postgres", 60, NOW) is False


@pytest.mark.parametrize(("days", "kept"), [(336, True), (338, False), (398, False), (-2, False)])
def test_time_passes(days: int, kept: bool) -> None:
    assert are_kept(described(), OWN, WANTED, "postgres", 60, NOW + timedelta(days=days)) is kept


SECOND = authority("second")
LAST = authority(days=1100)
CHANGES = {
    "a new one comes, and the node does not trust it": ({**OWN, "trusted": authority() + SECOND}, authority()),
    "a new one comes, and the node trusts it": ({**OWN, "trusted": authority() + SECOND}, authority() + SECOND),
    "another one": ({**OWN, "trusted": SECOND, "signer": SECOND}, authority()),
    "there is none": ({**OWN, "trusted": "", "signer": ""}, ""),
    "its last year, of which each run warns": ({**OWN, "trusted": LAST, "signer": LAST}, LAST),
}


@pytest.mark.parametrize(("trust", "there"), CHANGES.values(), ids=CHANGES.keys())
def test_the_authority_changes(trust: dict[str, Any], there: str) -> None:
    assert are_kept({**described(), "authorities": there}, trust, WANTED, "postgres", 60, NOW) is False


def test_given_ones_are_there_or_another_was_given() -> None:
    found = described()
    wanted = [{**each, "certificate": found["found"][each["name"]]["text"]} for each in WANTED]
    assert are_kept(found, GIVEN, wanted, "postgres", 60, NOW) is True
    wanted[0]["certificate"] = certificate(Wanted.from_params(WANTED[0]), begin=BEGIN)
    assert are_kept(found, GIVEN, wanted, "postgres", 60, NOW) is False
