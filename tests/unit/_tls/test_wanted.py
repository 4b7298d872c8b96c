"""Certificates that can be wanted, and those that cannot."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted


def test_names_are_normal_and_each_once() -> None:
    names = ["Node1", "node1", "", "192.0.2.1", "2001:DB8::0:1", "node1.shop.example."]
    wanted = Wanted.from_params({"name": "server", "common_name": "node1", "names": names})
    assert wanted.names == ("node1", "192.0.2.1", "2001:db8::1", "node1.shop.example")
    assert (wanted.usages, wanted.owner, wanted.mode) == (("server",), "postgres", "0600")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"name": "../server"}, "cannot be the name of a certificate"),
        ({"name": "server.next"}, "cannot be the name of a certificate"),
        ({"common_name": ""}, "is empty or too long"),
        ({"common_name": "x" * 65}, "is empty or too long"),
        ({"unit": "x" * 65}, "is empty or too long"),
        ({"names": []}, "has no name: no client would accept it"),
        ({"names": ["knötchen"]}, "cannot stand in a certificate"),
        ({"mode": "0644"}, "would have mode 0644"),
        ({"mode": "rw"}, "would have mode rw"),
    ],
)
def test_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        Wanted.from_params({"name": "server", "common_name": "node1", "names": ["node1"], **more})


@pytest.mark.parametrize("mode", ["0600", "0400", "0640", "600"])
def test_modes(mode: str) -> None:
    assert Wanted.from_params({"name": "a", "common_name": "b", "names": ["c"], "mode": mode}).mode == mode
