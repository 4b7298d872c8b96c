# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(drill_play)."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from ansible import constants, context

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill import play as running
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.action import DrillAction
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.recording import Step, note_event, note_step
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.process import INHERITED, control_process

LAST_CHARACTERS = 4000


class ActionModule(DrillAction):
    """Run another playbook of this collection the way this one is run."""

    spec = {  # noqa: RUF012
        "playbook": {"type": "str", "required": True},
        "variables": {"type": "dict", "default": {}},
        "expect": {"type": "str", "default": "success", "choices": ["success", "failure", "killed"]},
        "words": {"type": "str", "default": ""},
        "kill_at_task": {"type": "int", "default": 0},
        "kill_at_name": {"type": "str", "default": ""},
        "kill_delay": {"type": "float", "default": 0},
        "timeout": {"type": "float", "default": 300},
    }

    def act(self, directory: Path, params: dict[str, Any]) -> dict[str, Any]:
        if self.only_check:
            return {"changed": True}
        name = params["playbook"]
        note_event(directory, "command", f"{name}.yml starts")
        played = self.play(params)
        log = keep(directory, name, played)
        kind = "killed" if played.killed_at else "failure" if played.returncode else "success"
        missed = kind == "success" and params["expect"] == "killed"  # it was over before the moment to kill it
        if kind != params["expect"] and not missed:
            raise PgFleetError(
                f"{name}.yml: {kind}, where {params['expect']} was expected. {complaint(played)}", f"See {log}."
            )
        if not re.search(params["words"], " ".join(played.output.split())):
            raise PgFleetError(f"{name}.yml did not say '{params['words']}'. {complaint(played)}", f"See {log}.")
        return {
            "changed": True,
            "returncode": played.returncode,
            "seconds": round(played.ended - played.began, 3),
            "tasks": len(played.tasks),
            "worked": played.worked,
            "killed_at": played.killed_at,
            "output": played.output[-LAST_CHARACTERS:],
        }

    def play(self, params: dict[str, Any]) -> running.Played:
        wanted = running.Killing(params["kill_at_task"], params["kill_at_name"], params["kill_delay"])
        asked = context.CLIARGS
        typed = self._play_context.become_pass if asked.get("become_ask_pass") else None
        with running.secret_file(typed) as words:
            command = running.playbook_command(params["playbook"], [json.dumps(params["variables"])], asked)
            killing = wanted if params["expect"] == "killed" else None
            return running.play([*command, *words], environment(), killing, params["timeout"])


def environment() -> dict[str, str]:
    """So that its words can be read, each as soon as it is true, its settings are ours, and it works on the fleet that we hold."""
    settings = getattr(constants, "CONFIG_FILE", None)
    return {
        INHERITED: os.environ.get(INHERITED) or control_process().token,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "PYTHONUNBUFFERED": "1",
        # Where some results are hidden, a task is named with its first result, and no longer when it begins.
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "1",
        "ANSIBLE_DISPLAY_OK_HOSTS": "1",
        **({"ANSIBLE_CONFIG": str(settings)} if settings else {}),
    }


def keep(directory: Path, playbook: str, played: running.Played) -> Path:
    """Its output for people, its times for the report."""
    number = len(list(directory.glob("*.log")))
    log = directory / f"{number:02}-{playbook}.log"
    log.write_text(played.output, encoding="utf-8")
    note_step(directory, Step(f"{playbook}.yml", played.began, played.ended, tuple(played.tasks)))
    how = f"is killed at '{played.killed_at}'" if played.killed_at else "has ended"
    note_event(directory, "command", f"{playbook}.yml {how}", played.ended)
    return log


def complaint(played: running.Played) -> str:
    """What the run itself said was wrong, in one line."""
    said = re.findall(r"^\[ERROR\]: (.*)$", played.output, re.MULTILINE) or [played.output[-500:]]
    return " ".join(" ".join(said).split())[:LAST_CHARACTERS]
