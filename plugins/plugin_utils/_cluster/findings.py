# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What is not well in a whole fleet: the findings of its nodes, each truth once, with the remedy that a playbook has. No I/O.

A new finding of a node needs nothing here; a remedy of its own in ``_REMEDIES`` and a place among ``_WARNINGS`` if it fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ERROR, WARNING = "error", "warning"
#: Worth a look, while everything does its part. Whatever is not among them is an error.
_WARNINGS = frozenset(
    (
        "catching_up_from_archive", "former_primary", "no_free_wal_sender", "not_asked", "not_visible", "pending_restart", "reload_pending",
        "replay_paused", "setting_overridden", "shutting_down", "slot_foreign", "slot_inactive", "starting_up",
    )
)  # fmt: skip
#: That a standby receives nothing, as it sees itself, and why.
_RECEIVES_NOTHING = frozenset(("no_wal_receiver", "not_streaming"))
_CAUSES = frozenset(
    (
        "ahead_of_upstream", "catching_up_from_archive", "no_upstream", "replication_login_refused", "replication_slot_missing", "slot_in_use",
        "timeline_diverged", "upstream_unreachable", "wal_removed", "wrong_system_identifier",
    )
)  # fmt: skip
#: A node with one of these does not run as it should; what others see of it follows from that.
_DOWN = frozenset(
    (
        "absent", "data_directory_invalid", "data_directory_missing", "former_primary", "frozen", "hot_standby_off",
        "not_asked", "not_running", "shutting_down", "starting_up", "unreachable",
    )
)  # fmt: skip
#: What the upstream server sees of a standby.
_SEEN_THERE = frozenset(("not_streaming", "slot_inactive", "standby_missing"))
_REMEDIES = {
    "not_running": "site.yml starts it; when it does not stay up, its log says why.",
    "no_hba_entry": "site.yml writes the rules of pg_hba.conf again and reloads.",
    "pending_restart": "restart.yml restarts the servers one after the other.",
    "reload_pending": "site.yml reloads it, or SELECT pg_reload_conf() there.",
    "wal_removed": "rebuild_standby.yml -e node={node} clones it again.",
    "timeline_diverged": "rejoin.yml -e node={node} lists what only it has and brings it back.",
    "ahead_of_upstream": "Find out which of the two has the right data; rejoin.yml -e node={node} brings this one back.",
    "replication_slot_missing": "site.yml creates the slot.",
    "catching_up_from_archive": "Wait; site.yml recreates its slot where the primary does not take the old one back, and it streams again."
    " rebuild_standby.yml -e node={node} clones it again when the archive lacks what it needs.",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is not well; ``node`` is None for the fleet as a whole, ``about`` the standby that it is about."""

    node: str | None
    code: str
    message: str
    remedy: str = ""
    about: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def severity(self) -> str:
        return WARNING if self.code in _WARNINGS else ERROR

    def as_result(self) -> dict[str, Any]:
        own = {"node": self.node, "code": self.code, "severity": self.severity}
        return {**self.facts, **own, "message": self.message, "remedy": self.remedy}

    def __str__(self) -> str:
        named = self.node is None or re.search(rf"(?<![\w.-]){re.escape(self.node)}(?![\w-])", self.message)
        prefix = "" if named else f"{self.node}: "
        return f"{prefix}{self.message} {self.remedy}".strip()


def of_node(
    name: str, address: str | None, reasons: Iterable[Mapping[str, Any]], slots: Mapping[str, str]
) -> list[Finding]:
    """What a node found about itself, under its name; ``slots`` are the slots of the fleet by node."""
    owners = {slot: node for node, slot in slots.items()}
    found = []
    for each in reasons:
        facts = {key: value for key, value in each.items() if key not in ("code", "message", "remedy")}
        about = each.get("standby") or owners.get(str(each.get("slot")))
        message = str(each["message"]).replace(address, name) if address else str(each["message"])
        message = f"{name}: stopped. {message}" if each["code"] == "not_running" else message
        remedy = str(each.get("remedy") or "")
        if each["code"] in _REMEDIES and not each.get("causes"):
            remedy = _REMEDIES[each["code"]].format(node=name)
        if each["code"] == "slot_lost" and about in slots and about != name:
            remedy = f"rebuild_standby.yml -e node={about} clones it again."
        code = each["code"]
        if code == "slot_inactive" and slots and about is None:
            code, message, remedy = _foreign_slot(name, facts)
        found.append(Finding(name, code, message, remedy, about, facts))
    return found


def _foreign_slot(node: str, facts: Mapping[str, Any]) -> tuple[str, str, str]:
    slot, kept = facts["slot"], facts.get("retained_bytes") or 0
    words = f"Slot '{slot}' on {node} is not one of the fleet's nodes, is not in use and keeps {kept} bytes of WAL."
    remedy = f"Start its consumer; or drop it when nobody needs it (SELECT pg_drop_replication_slot('{slot}'))."
    return "slot_foreign", words, remedy


def each_once(findings: Sequence[Finding], primary: str | None) -> list[Finding]:
    """Without what follows from another one: errors first, otherwise in the order given.

    A standby that does not run has an unused slot, and one that cannot reach a stopped primary receives nothing: the
    stopped server is the finding.
    """
    codes: dict[str | None, set[str]] = {}
    for each in findings:
        codes.setdefault(each.node, set()).add(each.code)
    lost = {each.about for each in findings if each.code == "slot_lost"}
    primary_down = bool(codes.get(primary, set()) & _DOWN)
    kept = [each for each in findings if not _follows(each, codes, lost, primary_down and each.node != primary)]
    return sorted(kept, key=lambda each: each.severity == WARNING)


def _follows(each: Finding, codes: Mapping[str | None, set[str]], lost: set[str | None], primary_down: bool) -> bool:
    own = codes.get(each.node, set())
    if each.code == "not_asked":
        return each.node is not None and "not_asked" in codes.get(None, set())
    if each.code in _SEEN_THERE and each.about not in (None, each.node):
        theirs = codes.get(each.about, set())
        return bool(theirs & (_DOWN | _CAUSES | _RECEIVES_NOTHING)) or (
            each.code == "slot_inactive" and "standby_missing" in theirs
        )
    if each.code == "slot_lost" and "catching_up_from_archive" in codes.get(each.about, set()):
        return True
    if each.code == "slot_lost":
        return each.about != each.node and "slot_lost" in codes.get(each.about, set())
    if each.code in _RECEIVES_NOTHING:
        return bool(own & _CAUSES) or each.node in lost
    if each.code == "upstream_unreachable":
        return primary_down
    return each.code == "wal_removed" and each.node in lost


def summary(findings: Sequence[Finding]) -> str:
    """The last sentence: how many there are, which, and where."""
    if not findings:
        return "All is well."
    places: dict[str, list[str]] = {}
    for each in findings:
        nodes = places.setdefault(each.code, [])
        if each.node and each.node not in nodes:
            nodes.append(each.node)
    listed = ", ".join(f"{code} on {' and '.join(nodes)}" if nodes else code for code, nodes in places.items())
    return f"{len(findings)} {'finding' if len(findings) == 1 else 'findings'}: {listed}."
