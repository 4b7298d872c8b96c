"""The three steps to a new authority, and what is refused on the way."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import leaf_of
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._pki.authorities import (
    Authorities,
    AuthorityRefused,
    plan,
)
from ansible_collections.pgfleet.cluster.tests.certs import authority

OLD, NEW, OLDEST = (leaf_of(authority(name)) for name in ("old", "new", "oldest"))
NOBODY, ALONE = Authorities(), Authorities(OLD, retired=(OLDEST,))
INTRODUCED, ACTIVATED = Authorities(OLD, NEW), Authorities(NEW, None, OLD)
KILLED = Authorities(None, NEW, OLD)

PLANNED = [
    (NOBODY, "present", ("make",)),
    (ALONE, "present", ()),
    (ALONE, "introduced", ("introduce",)),
    (ALONE, "retired", ()),
    (INTRODUCED, "present", ()),
    (INTRODUCED, "introduced", ()),
    (INTRODUCED, "activated", ("activate",)),
    (ACTIVATED, "present", ()),
    (ACTIVATED, "activated", ()),
    (ACTIVATED, "retired", ("retire",)),
    (KILLED, "present", ("activate",)),
    (KILLED, "activated", ("activate",)),
    (KILLED, "retired", ("activate", "retire")),
]


@pytest.mark.parametrize(("have", "state", "moves"), PLANNED)
def test_moves(have: Authorities, state: str, moves: tuple[str, ...]) -> None:
    assert plan(have, state) == moves


@pytest.mark.parametrize(
    ("have", "state", "code"),
    [
        (NOBODY, "introduced", "no_authority"),
        (NOBODY, "retired", "no_authority"),
        (ALONE, "activated", "authority_not_introduced"),
        (INTRODUCED, "retired", "authority_change_unfinished"),
        (ACTIVATED, "introduced", "authority_change_unfinished"),
        (Authorities(None, NEW), "present", "authority_incomplete"),
        (Authorities(retired=(OLD,)), "present", "authority_incomplete"),
    ],
)
def test_refused(have: Authorities, state: str, code: str) -> None:
    with pytest.raises(AuthorityRefused) as refused:
        plan(have, state)
    assert refused.value.code == code


def test_who_is_trusted_and_who_is_known() -> None:
    assert INTRODUCED.trusted == OLD.pem + NEW.pem and INTRODUCED.stage == "introduced"
    assert ACTIVATED.trusted == NEW.pem + OLD.pem and ACTIVATED.stage == "activated"
    assert ALONE.trusted == OLD.pem and ALONE.stage == ""
    assert ALONE.known == [OLD.fingerprint, OLDEST.fingerprint]
