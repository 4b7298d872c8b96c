"""System containers: from the tree to four machines that are ready, the cluster on them, and a run that changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .tools import ROOT, VENV, play_environment, run, seconds_by_task, timed

NAMESPACE = "pgfleet-bench"
WORDS = ("-e", "container_fleet=bench", "-e", "pagila_load_source=generated", "-e", "confirm=yes")


def play(playbook: str, inside: bool = True) -> tuple[float, str]:
    """Seconds and output of a playbook in a network namespace of its own, unless it needs the world."""
    words: list[str | Path] = [VENV / "ansible-playbook", "-i", ROOT / "inventory/containers", ROOT / playbook, *WORDS]
    prefix: list[str | Path] = [ROOT / "tools/netns.sh", "in", NAMESPACE] if inside else []
    return timed(*prefix, *words, cwd=ROOT, **play_environment())


def measure() -> dict[str, Any]:
    play("playbooks/image.yml", inside=False)
    try:
        play("playbooks/teardown.yml")
        ready = seconds_by_task(play("playbooks/provision.yml")[1])
        first, second = (play("site.yml")[0] for _turn in range(2))
    finally:
        play("playbooks/teardown.yml")
        run(ROOT / "tools/netns.sh", "remove", NAMESPACE)
    made = sum(seconds for name, seconds in ready.items() if "Make and start the machines" in name)
    return {
        "containers_ready_s": round(made, 1),
        "containers_site_s": round(first, 1),
        "containers_noop_s": round(second, 1),
    }
