# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What a module says of machines when it is done."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .plan import F, M, Plan, Step

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def report(
    module: AnsibleModule, plan: Plan[M, F], ready: Mapping[str, float] | Mapping[str, float | None], started: float
) -> dict[str, Any]:
    """The result, and a warning for each machine that is left off."""
    for name in (step.name for step in plan.steps if step.left_off):
        module.warn(f"Machine '{name}' was fenced and is left off. Start it with start_fenced when it can do no harm.")
    return {
        "changed": plan.changed,
        "machines": [_result_of_step(step, ready.get(step.name)) for step in plan.steps],
        "seconds": round(time.monotonic() - started, 1),
        "diff": plan.diff(),
    }


def _result_of_step(step: Step[M, F], seconds: float | None) -> dict[str, Any]:
    return {
        "name": step.name,
        "action": step.action,
        "changes": list(step.changes),
        "address": step.machine.shape.address if step.machine else "",
        "ready_s": None if seconds is None else round(seconds, 1),
    }
