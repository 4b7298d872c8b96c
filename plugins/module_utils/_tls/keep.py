# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Bring the certificates of a node to what they are to be, as far as that is possible now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from .._errors import InvalidInput
from .certificate import Certificate, CertificateInvalid, certificates_of, leaf_of, shown
from .flaws import ACCEPTED
from .plan import ISSUE, KEEP, REPAIR, Step, check_given, plan_step
from .rehearsal import rehearse_text
from .store import Store
from .wanted import Wanted


def spec_of_certificates(**more: Any) -> dict[str, Any]:
    """The option that says which certificates a node is to have, with more about each."""
    options: dict[str, Any] = {
        "name": {"type": "str", "required": True},
        "common_name": {"type": "str", "required": True},
        "unit": {"type": "str"},
        "names": {"type": "list", "elements": "str", "default": []},
        "usages": {"type": "list", "elements": "str", "choices": ["server", "client"], "default": ["server"]},
        "owner": {"type": "str"},
        "group": {"type": "str"},
        "mode": {"type": "str", "default": "0600"},
        "combined": {"type": "bool", "default": False},
        **more,
    }
    return {"type": "list", "elements": "dict", "default": [], "options": options}


def keep(
    store: Store, wanted: Sequence[Wanted], params: Mapping[str, Any], now: datetime, write: bool
) -> dict[str, Any]:
    """Install what was issued, repair what drifted, and ask for what is missing. Authorities come first: they make peers acceptable."""
    trusted, issued = params["trusted"], {each["name"]: each for each in params["issued"]}
    how = now, params["renew_before"], params["renew"]
    steps = [plan_step(each, store.found(each, params["signer"]), *how) for each in wanted]
    for step in steps:
        if step.action == ISSUE and step.wanted.given:
            _check_given(step.wanted, issued.get(step.wanted.name), trusted, now)
    before = store.authorities()
    changes_trust = bool(trusted) and (before != trusted or not store.authorities_are_public())
    if write and changes_trust:
        store.write_authorities(trusted)
    requests = [_advance(store, step, issued.get(step.wanted.name), trusted, write) for step in steps]
    return {
        "changed": changes_trust or any(step.action != KEEP for step in steps),
        "certificates": {step.wanted.name: _facts(store, step, now) for step in steps},
        "ca_file": store.layout.authorities,
        "actions": [step.as_result() for step in steps],
        "requests": [request for request in requests if request],
        "diff": (_changed_trust(before, trusted) if changes_trust else []) + _changed_certificates(steps),
    }


def _check_given(wanted: Wanted, issued: Mapping[str, Any] | None, trusted: str, now: datetime) -> None:
    """A certificate that somebody else issued is judged before anything changes; together with its key, once that is here."""
    if issued is None:
        return check_given(wanted, ACCEPTED, now)
    if not issued.get("key"):
        raise InvalidInput(f"The certificate '{wanted.name}' was given without its key.", "Give it in 'issued'.")
    return check_given(wanted, rehearse_text(wanted.given, issued["key"], trusted, wanted.usages), now)


def _advance(
    store: Store, step: Step, issued: Mapping[str, Any] | None, trusted: str, write: bool
) -> dict[str, Any] | None:
    """One certificate; the answer is the request of one that waits to be issued."""
    wanted = step.wanted
    if step.action == REPAIR and write:
        store.repair(wanted)
    if step.action != ISSUE:
        return None
    if issued is None:
        return {"name": wanted.name, "request": store.request(wanted) if write and not wanted.given else ""}
    if write:
        store.install(wanted, issued["certificate"], trusted, issued.get("key") or "")
    return None


def _facts(store: Store, step: Step, now: datetime) -> dict[str, Any]:
    """Where a certificate lies and how long it is good."""
    leaf = _leaf_in_force(store, step)
    times = {name: leaf.as_result(now)[name] for name in ("fingerprint", "not_after", "days_left")} if leaf else {}
    return {**store.layout.paths(step.wanted), **times}


def _leaf_in_force(store: Store, step: Step) -> Certificate | None:
    if step.action != ISSUE:
        return step.leaf
    with suppress(CertificateInvalid):
        return leaf_of(store.text(step.wanted))
    return None


def _changed_trust(before: str, after: str) -> list[dict[str, str]]:
    texts = [
        "".join(f"{shown(each.subject)} {each.fingerprint}\n" for each in certificates_of(text))
        for text in (before, after)
    ]
    return [{"before": texts[0], "after": texts[1], "before_header": "ca.pem", "after_header": "ca.pem"}]


def _changed_certificates(steps: Sequence[Step]) -> list[dict[str, str]]:
    """What a person wants to know; never a key."""
    return [
        {
            "before": "".join(f"{flaw.message}\n" for flaw in step.flaws),
            "after": f"Certificate '{step.wanted.name}' {step.action}.\n",
            "before_header": step.wanted.name,
            "after_header": step.wanted.name,
        }
        for step in steps
        if step.action != KEEP
    ]
