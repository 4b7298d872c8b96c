# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What the module restore returns. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .note import SIDE, Wanted
from .plan import REMOVED, RESTORED
from .workflow import RestoreLook

Result = dict[str, Any]


def as_result(first: RestoreLook, look: RestoreLook, wanted: Wanted, needed: Mapping[str, str]) -> Result:
    """``first``: what was found before anything was done."""
    facts = _facts(look)
    return {
        "changed": look.plan.changed or bool(needed),
        "action": look.plan.action,
        "reason": look.plan.reason,
        "explanation": look.plan.sentence,
        **facts,
        "target": dict(wanted.target.as_noted),
        "mode": wanted.mode,
        "server_pid": look.dest.server_pid,
        "server_port": look.note.port if look.note and look.note.port else wanted.port,
        "socket_directory": wanted.socket_directory or None,
        "replaced_path": look.replaced_path,
        "seconds": look.seconds,
        "recovery_seconds": look.recovery_seconds,
        "recovery_changed": bool(needed),
        "diff": _diff(first, look, wanted, facts),
    }


def _facts(look: RestoreLook) -> Result:
    """Of the directory, or of what it would be made of."""
    if look.note:
        note = look.note
        return {
            "set": dict(note.backup),
            "timeline": note.timeline,
            "system_identifier": note.backup.get("system_identifier"),
            "reached": dict(note.reached) if note.reached else None,
            "doubt": note.doubt or None,
        }
    if look.choice:
        return {
            "set": look.choice.backup.as_result(),
            "timeline": look.choice.lineage.timeline,
            "system_identifier": look.choice.backup.system_identifier,
            "reached": None,
            "doubt": look.choice.doubt or None,
        }
    return dict.fromkeys(("set", "timeline", "system_identifier", "reached", "doubt"))


def _diff(first: RestoreLook, look: RestoreLook, wanted: Wanted, facts: Result) -> Result:
    before: Result = {"state": first.plan.reason}
    if look.plan.action == REMOVED:
        return {"before": {"state": "present"}, "after": {"state": "absent"}}
    if first.note:
        before = {**before, "set": first.note.label, "timeline": first.note.timeline, **_shown(first.note.target)}
    if not look.plan.changed:
        return {"before": before, "after": before}
    label = (facts["set"] or {}).get("label")
    after = {"set": label, "timeline": facts["timeline"], **_shown(wanted.target.as_noted)}
    state = wanted.action if wanted.mode == SIDE else wanted.mode
    return {"before": before, "after": {"state": state if look.plan.action != RESTORED else wanted.mode, **after}}


def _shown(target: Mapping[str, Any]) -> Result:
    return {"target": f"{target['type']} {target['value'] or ''}".strip()}
