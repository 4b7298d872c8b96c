"""A playbook that a drill runs, watched and killed: by real runs of ansible-playbook."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.plugins.action.drill_play import environment
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.play import Killing, Played, play

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Skip this
      ansible.builtin.debug:
      when: false
    - name: Take a while
      ansible.builtin.pause:
        seconds: 2
    - name: End
      ansible.builtin.debug:
"""


def played(folder: Path, killing: Killing | None = None) -> Played:
    """What became of the playbook, where the settings of the user hide tasks that are skipped."""
    (folder / "ansible.cfg").write_text("[defaults]\ndisplay_skipped_hosts = false\nlocalhost_warning = false\n")
    (folder / "playbook.yml").write_text(PLAYBOOK)
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local"]
    settings = {**environment(), "ANSIBLE_CONFIG": str(folder / "ansible.cfg")}
    return play([*command, str(folder / "playbook.yml")], settings, killing, 60)


def test_a_task_is_seen_when_it_begins(tmp_path: Path) -> None:
    run = played(tmp_path)
    assert run.returncode == 0, run.output
    assert [name for name, _began in run.tasks] == ["Skip this", "Take a while", "End"]
    assert run.worked == [2, 3]
    assert run.tasks[2][1] - run.tasks[1][1] >= 2


@pytest.mark.parametrize("killing", [Killing(task=2), Killing(name="^Take")], ids=["number", "name"])
def test_a_run_is_killed_while_the_task_works(tmp_path: Path, killing: Killing) -> None:
    run = played(tmp_path, killing)
    assert run.killed_at == "Take a while"
    assert run.returncode < 0
    assert run.ended - run.tasks[1][1] < 2
    assert run.worked == []
