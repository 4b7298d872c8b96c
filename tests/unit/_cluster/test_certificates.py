"""Whether the nodes of a fleet log in at each other with certificates."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.certificates import (
    CertificatesDiffer,
    adopted_nodes,
    have_certificates,
    refuse_some_certified,
    show_certificates,
)

PATH = "/etc/postgresql/17/main/pki/rewind/certificate.pem"


def node(has: bool = True, shows: bool = True, **more: Any) -> dict[str, Any]:
    own = "/etc/postgresql/17/main/pki/replication/certificate.pem"
    conninfo = f"host=10.0.0.1 sslcert={own if shows else '/etc/somebody.pem'}"
    files = {"/etc/postgresql/17/main/start.conf": {"sha256": "1"}, PATH: {"sha256": "2"} if has else {}}
    found = {
        "files": files,
        "recovery": {"primary_conninfo": conninfo},
        "configured": True,
        "ours": True,
        "adopted": False,
    }
    return {"pg_server_node": {**found, **more}, "pg_server_facts": {"adopt": False}}


@pytest.mark.parametrize(
    ("hosts", "answer"),
    [
        ({"a": node(), "b": node()}, True),
        ({"a": node(), "b": node(has=False)}, False),
        ({"a": node(), "b": {}}, True),
        ({"a": {}, "b": {}}, False),
    ],
    ids=["all", "not one", "one gives no answer", "nobody was looked at"],
)
def test_all_have_certificates(hosts: dict[str, Any], answer: bool) -> None:
    assert have_certificates(hosts, hosts) is answer


@pytest.mark.parametrize(
    ("hosts", "answer"),
    [
        ({"a": node(), "b": node(has=False, configured=False)}, True),
        ({"a": node(), "b": node(has=False)}, False),
        ({"a": node(has=False, configured=False)}, False),
    ],
    ids=["one is new", "an old one has none", "all are new"],
)
def test_new_nodes_may_be_yet_to_get_theirs(hosts: dict[str, Any], answer: bool) -> None:
    assert have_certificates(hosts, hosts, configured=True) is answer


@pytest.mark.parametrize(
    ("hosts", "existing", "answer"),
    [
        ({"a": node(), "b": node()}, ["a", "b"], True),
        ({"a": node(shows=False), "b": node()}, ["a", "b"], True),
        ({"a": node(), "b": node(shows=False)}, ["a", "b"], False),
        ({"a": node(), "b": node(shows=False)}, ["a"], True),
        ({"a": node(), "b": {}}, ["a", "b"], False),
    ],
    ids=["all", "the primary shows none", "a standby shows none", "it is yet to be cloned", "not known"],
)
def test_rules_may_ask_for_certificates(hosts: dict[str, Any], existing: list[str], answer: bool) -> None:
    assert show_certificates({"standbys": ["b"], "existing": existing}, hosts) is answer


def test_adopted_before_and_now() -> None:
    becomes = {**node(ours=False), "pg_server_facts": {"adopt": True}}
    asked = {**node(), "pg_server_facts": {"adopt": True}}
    hosts = {"a": node(), "b": node(adopted=True), "c": becomes, "d": asked, "e": {}}
    assert adopted_nodes(hosts, hosts) == ["b", "c"]


def test_all_nodes_have_certificates_or_none_has() -> None:
    certified = {"ssl_cert_file": "/etc/postgresql/17/main/pki/server/certificate.pem"}
    own = {"ssl_cert_file": "/etc/ssl/somebody.pem"}
    refuse_some_certified({"a": certified, "b": certified})
    refuse_some_certified({"a": own, "b": {}})
    with pytest.raises(CertificatesDiffer, match="a would show certificates of the fleet, and b, c would not"):
        refuse_some_certified({"a": certified, "b": {}, "c": own})
