# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""How a module brings a data directory to a wanted state: look, rehearse, lock, settle, look again, make."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .around import Finished, settle
from .facts import DataDir
from .owner import refuse_unwritable
from .place import Plan
from .swap import lock, refuse_busy

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


@dataclass(frozen=True)
class Look:
    """What was found, and what is to be done about it."""

    dest: DataDir
    plan: Plan


L = TypeVar("L", bound=Look)


class Workflow(ABC, Generic[L]):
    """One data directory and the state that a module's options ask for. ``first``: what was found before the lock."""

    dest: str
    first: L
    #: What is made beside the directory, and the actions that name it: where nothing was, and in place of something.
    noun = "directory"
    actions = ("created", "replaced")

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params: dict[str, Any] = module.params

    @abstractmethod
    def look(self) -> L:
        """Facts, then the decision."""

    @abstractmethod
    def rehearse(self, found: L) -> L:
        """Find what would stop the work, and change nothing."""

    @abstractmethod
    def make(self, found: L) -> L:
        """Do what was found necessary under the lock."""

    def finished(self, found: L, done: Finished) -> L:
        """What to report when an earlier run had only left the renames to do."""
        sentence = f"The {self.noun} of an earlier run is in '{self.dest}' now."
        return replace(found, plan=Plan(self.actions[done.replaces], "finish_swap", sentence))

    def settle(self) -> Finished | None:
        """Complete, or clear away, what an interrupted run left beside the directory."""
        return settle(self.dest)

    def reach(self) -> L:
        """Bring the directory to its state; in check mode, only find out whether that works.

        The decision is made again under the lock: another run may have done the work meanwhile, or have begun it.
        """
        self.first = found = self.look()
        if not found.plan.changed:
            return found
        refuse_unwritable((self.dest,))
        if self.module.check_mode:
            refuse_busy(self.dest)
            return self.rehearse(found)
        with lock(self.dest):
            done = self.settle()
            found = self.look()
            if found.plan.changed:
                return self.make(found)
            return self.finished(found, done) if done else found
