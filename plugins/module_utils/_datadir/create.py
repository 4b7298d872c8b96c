# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Run initdb beside the place of a data directory, and put the cluster there."""

from __future__ import annotations

import locale
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from .._errors import PgFleetError
from .around import check_paths, look_around
from .facts import bin_dir_version, inspect, programs_of
from .init import CREATED, InitOptions, init_command, plan_init
from .owner import refuse_unwritable
from .process import end_orphans, run_guarded
from .swap import begin, clean, commit, finish, new_work
from .workflow import Look, Workflow

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


class InitFailed(PgFleetError):
    """initdb failed."""

    code = "initdb_failed"


def require_locale(name: str) -> None:
    """Refuse a locale that the C library of this machine, and so the server, does not have."""
    before = locale.setlocale(locale.LC_COLLATE)
    try:
        locale.setlocale(locale.LC_COLLATE, name)
    except locale.Error as error:
        raise InitFailed(
            f"The locale '{name}' is not on this machine.",
            "Make it (on Debian: its line in /etc/locale.gen, then locale-gen), or give another one, such as C.UTF-8.",
            "locale_missing",
        ) from error
    finally:
        locale.setlocale(locale.LC_COLLATE, before)


class Init(Workflow[Look]):
    """One destination, and how a cluster is made there."""

    actions = (CREATED, CREATED)

    def __init__(self, module: AnsibleModule) -> None:
        super().__init__(module)
        params = self.params
        check_paths(params["data_directory"], {"wal_dir": params["wal_dir"]})
        self.dest = os.path.realpath(params["data_directory"])
        self.wal_dir = os.path.realpath(params["wal_dir"]) if params["wal_dir"] else ""
        self.options = InitOptions.from_params(params)
        self.bin_dir: str = programs_of(self.dest, params["bin_dir"])
        self.version = bin_dir_version(self.bin_dir)

    def look(self) -> Look:
        dest = inspect(self.dest, self.bin_dir)
        place = look_around(dest, {self.wal_dir: "wal_dir"} if self.wal_dir else {})
        return Look(dest, plan_init(place, self.version))

    def rehearse(self, found: Look) -> Look:
        if not found.plan.finish:
            require_locale(self.options.locale)
            refuse_unwritable((self.wal_dir,) if self.wal_dir else ())
        return found

    def make(self, found: Look) -> Look:
        self.rehearse(found)
        self.module.log(f"initdb in {self.dest} begins: {self.first.plan.sentence}")
        self._create()
        self.module.log(f"initdb in {self.dest} is done")
        return replace(self.first, dest=inspect(self.dest, self.bin_dir))

    def _create(self) -> None:
        """Make the cluster beside its place, then put it there."""
        work = new_work("cluster", self.dest, (self.wal_dir,) if self.wal_dir else (), False, True)
        begin(work)
        try:
            command = init_command(self.bin_dir, self.version, work.incoming, self.wal_dir, self.options)
            status, said = run_guarded(command)
            if status:
                errors = [line for line in said.splitlines() if "error:" in line or "hint:" in line or "FATAL" in line]
                words = " ".join(errors or said.splitlines()[-3:])
                raise InitFailed(f"initdb failed: {words}", "Its own words say why.")
            work = commit(work)
        except BaseException:
            end_orphans([move.new for move in work.moves])
            clean(self.dest)
            raise
        finish(work)
