"""Which certificates are issued again, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import leaf_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.flaws import NOT_ITS_KEY, CertificateRefused, Verdict
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.plan import (
    Found,
    OtherAuthority,
    check_authorities,
    check_given,
    plan_step,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.tests.certs import NOW, authority, certificate

SERVER = Wanted("server", "node1", names=("node1", "192.0.2.1"))
CLIENT = Wanted("replication", "replicator", "node1", usages=("client",))
DAY = timedelta(days=1)


def test_a_rotation_issues_what_is_good_and_keeps_what_was_given() -> None:
    step = plan_step(SERVER, found(), NOW, 60, renew=True)
    assert (step.action, [flaw.code for flaw in step.flaws]) == ("issued", ["certificate_rotated"])
    text = certificate(SERVER)
    assert plan_step(replace(SERVER, given=text), Found(text, True), NOW, 60, renew=True).action == "kept"


def found(wanted: Wanted = SERVER, **more: Any) -> Found:
    return replace(Found(certificate(wanted), True), **more)


CASES: dict[str, tuple[Wanted, Found, timedelta, str, list[str]]] = {
    "as wanted": (SERVER, found(), DAY, "kept", []),
    "a client": (CLIENT, found(CLIENT), DAY, "kept", []),
    "names in another order": (replace(SERVER, names=("192.0.2.1", "node1")), found(), DAY, "kept", []),
    "nothing there": (SERVER, Found(), DAY, "issued", ["certificate_missing"]),
    "no key": (SERVER, found(key=False), DAY, "issued", ["certificate_missing"]),
    "no certificate in it": (SERVER, found(text="x"), DAY, "issued", ["certificate_invalid"]),
    "another key": (SERVER, found(verdict=Verdict(NOT_ITS_KEY)), DAY, "issued", ["key_mismatch"]),
    "a name more": (replace(SERVER, names=(*SERVER.names, "db")), found(), DAY, "issued", ["certificate_wrong_name"]),
    "a name less": (replace(SERVER, names=("node1",)), found(), DAY, "issued", ["certificate_wrong_name"]),
    "another common name": (replace(CLIENT, common_name="repl"), found(CLIENT), DAY, "issued", ["certificate_wrong_name"]),
    "another unit": (replace(CLIENT, unit="node2"), found(CLIENT), DAY, "issued", ["certificate_wrong_name"]),
    "another usage": (replace(SERVER, usages=("server", "client")), found(), DAY, "issued", ["certificate_wrong_usage"]),
    "61 days left": (SERVER, found(), 336 * DAY, "kept", []),
    "59 days left": (SERVER, found(), 338 * DAY, "issued", ["certificate_expiring"]),
    "expired": (SERVER, found(), 398 * DAY, "issued", ["certificate_expired"]),
    "from tomorrow on": (SERVER, found(), -DAY, "issued", ["certificate_not_yet_valid"]),
    "another authority": (SERVER, found(verdict=Verdict(20, "no issuer")), DAY, "issued", ["certificate_other_authority"]),
    "dates are told once": (SERVER, found(verdict=Verdict(10, "expired")), 398 * DAY, "issued", ["certificate_expired"]),
    "refused for another reason": (SERVER, found(verdict=Verdict(79, "bad")), DAY, "issued", ["certificate_untrusted"]),
    "owner or mode": (SERVER, found(drifted=("/k.pem",)), DAY, "repaired", ["key_mode"]),
    "the given one": (replace(SERVER, given=found().text), found(), DAY, "kept", []),
    "another was given": (replace(SERVER, given=certificate(SERVER, days=9)), found(), DAY, "issued", ["certificate_differs"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_plan(case: str) -> None:
    wanted, have, later, action, codes = CASES[case]
    if wanted.given and action == "kept":
        wanted = replace(wanted, given=have.text)
    step = plan_step(wanted, have, NOW + later, 60)
    assert (step.action, [flaw.code for flaw in step.flaws]) == (action, codes)
    assert all(flaw.message.endswith(".") and flaw.remedy for flaw in step.flaws)


@pytest.mark.parametrize(
    ("wanted", "verdict", "later", "code"),
    [
        (SERVER, Verdict(), DAY, ""),
        (SERVER, Verdict(), 397 * DAY, "certificate_expired"),
        (replace(SERVER, names=("node1", "node9")), Verdict(), DAY, "certificate_wrong_name"),
        (replace(SERVER, usages=("client",)), Verdict(), DAY, "certificate_wrong_usage"),
        (replace(SERVER, common_name="somebody"), Verdict(), DAY, "certificate_wrong_name"),
        (SERVER, Verdict(20, "unable to get local issuer certificate"), DAY, "certificate_other_authority"),
        (SERVER, Verdict(NOT_ITS_KEY), DAY, "key_mismatch"),
    ],
)
def test_given(wanted: Wanted, verdict: Verdict, later: timedelta, code: str) -> None:
    given = replace(wanted, given=certificate(SERVER))
    if not code:
        return check_given(given, verdict, NOW + later)
    with pytest.raises(CertificateRefused) as refused:
        check_given(given, verdict, NOW + later)
    assert refused.value.code == code
    assert str(refused.value).endswith("Nothing was changed.")
    return None


def test_authorities_that_nobody_knows() -> None:
    ours, theirs = leaf_of(authority()), leaf_of(authority("theirs"))
    check_authorities([], [ours.fingerprint])
    check_authorities([theirs, ours], [ours.fingerprint])
    with pytest.raises(OtherAuthority, match="trusts 'CN=theirs CA', of whom the control machine knows nothing"):
        check_authorities([theirs], [ours.fingerprint])
