# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Look at a destination and a source, and make the one a clone of the other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .._datadir.around import Finished, check_paths, look_around
from .._datadir.facts import DataDir, bin_dir_version, find_bin_dir, inspect
from .._datadir.owner import refuse_unwritable
from .._datadir.process import end_orphans
from .._datadir.swap import Work, begin, clean, commit, finish, leftover_bytes, new_work, outside_directories
from .._datadir.workflow import Look, Workflow
from .._host.atomic import write_file
from .._lineage.wal import Comparison
from .._postgres.login import Following
from .._postgres.passfile import check_passfile, passfile_line, read_passfile, save_passfile, with_password
from .._postgres.recovery import AUTO_CONF
from .._postgres.replication import (
    check_slot,
    read_source,
    rehearse_streaming,
    replication_session,
)
from .._postgres.settings import read_settings, write_settings
from .._postgres.source import Source
from .._postgres.standby import make_standby, read_text
from .command import Copied, CopyOptions, copy, free_bytes, refuse_too_large, verify
from .plan import CLONED, REPLACED, CloneFacts, find_problem, plan_clone

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

#: Seconds in which the server notices that a killed earlier run has gone.
_PATIENCE = 5.0
_ELSEWHERE = (
    "Give that directory to the server's user, or name another place with wal_dir or tablespace_mapping"
    " (pg_standby_wal_dir, pg_standby_tablespace_mapping)."
)


@dataclass(frozen=True)
class Done:
    """What a clone came to."""

    copied: Copied
    verify_seconds: float | None
    replaced_path: str | None


@dataclass(frozen=True)
class CloneLook(Look):
    """``done``: what this run made, or what it found made by an earlier one."""

    source: Source
    copying: CopyOptions
    besides: tuple[str, ...]
    auto_conf: str
    wal_dir: str
    done: Done | Finished | None = None

    @property
    def wal_dir_after(self) -> str:
        return self.copying.wal_dir if self.plan.changed else self.wal_dir


class Clone(Workflow[CloneLook]):
    """One destination and what is wanted there, as the module's options say."""

    noun = "clone"
    actions = (CLONED, REPLACED)

    def __init__(self, module: AnsibleModule) -> None:
        super().__init__(module)
        params = self.params
        self.spaces = {str(old): str(new) for old, new in params["tablespace_mapping"].items()}
        spaces = {f"tablespace_mapping[{old}]": new for old, new in self.spaces.items()}
        check_paths(params["data_directory"], {"wal_dir": params["wal_dir"], **spaces})
        self.dest = os.path.realpath(params["data_directory"])
        self.following = Following.from_params(params)
        self.login, self.slot = self.following.login, self.following.slot
        self.recovery = self.following.recovery
        self.streams = params["wal_method"] == "stream"
        self.rehearses = params["on_running"] == "rehearse"

    @property
    def passfile_text(self) -> str | None:
        """What the password file must become; None when it is as it must be, or is not ours to write."""
        path, password = self.login.passfile, self.login.password
        if not path:
            return None
        if not password:
            check_passfile(path)
            return None
        text = read_passfile(path)
        wanted = with_password(text, *self._address(), password)
        loose = os.path.isfile(path) and bool(os.stat(path).st_mode & 0o077)
        return wanted if loose or wanted != text else None

    def _address(self) -> tuple[str, int, str]:
        """As libpq looks it up in a password file, where its usual socket directory goes by the name localhost."""
        host = self.login.place
        found = "localhost" if host in ("", "/var/run/postgresql") else host
        return found, self.login.port, self.login.user

    def look(self) -> CloneLook:
        """Facts, then the decision. The destination is read before the source, which only moves forward."""
        with replication_session(self.login) as server:
            bin_dir = self.params["bin_dir"] or find_bin_dir(server.major)
            dest = inspect(self.dest, bin_dir)
            dest = replace(dest, server_pid=None) if self.rehearses else dest
            source = read_source(server)
            copying = self._copying(bin_dir, source, dest)
            copying.require_features(source.major)
            place = look_around(dest, self._outside(copying))
            if self.slot:
                check_slot(server, self.slot)
        kept = "" if self.params["wal_dir"] else copying.wal_dir
        facts = CloneFacts(place, source, bin_dir_version(bin_dir), self._differs_at(dest, source, bin_dir), kept)
        plan = plan_clone(facts, self.params["force"], self.params["rebuild"])
        paths = tuple(beside.path for beside in place.besides)
        auto_conf = read_text(os.path.join(self.dest, AUTO_CONF))
        return CloneLook(dest, plan, source, copying, paths, auto_conf, self._present_wal_dir(dest))

    def _differs_at(self, dest: DataDir, source: Source, bin_dir: str) -> int | None:
        """Where the WAL of what looks like a standby differs from that of the source."""
        if dest.vacant or dest.incoming == "swapping" or find_problem(dest, source):
            return None
        return Comparison(self.login, dest, source, bin_dir).compare().differs_at

    def rehearse(self, found: CloneLook) -> CloneLook:
        refuse_unwritable(found.besides, _ELSEWHERE)
        if found.plan.finish:
            return found
        if self.streams and not self.rehearses:  # the server that runs has a WAL sender and the slot
            patience = _PATIENCE if self.first.dest.incoming else 0
            rehearse_streaming(self.login, found.source, self.slot, patience)
        if self.params["source_size"]:
            refuse_too_large(self.params["source_size"], self._room(found), self.dest)
        return found

    def make(self, found: CloneLook) -> CloneLook:
        self.rehearse(found)
        first = self.first.plan
        look = replace(found, plan=first) if found.plan.action == first.action else found
        for path in self._left_behind(look):
            self.module.warn(
                f"'{path}' belongs to the directory that is replaced, is not used by the new one, and stays."
            )
        self.module.log(f"clone of {look.source.address} into {self.dest} begins: {look.plan.sentence}")
        done = self._clone(look)
        self.module.log(f"clone into {self.dest} is done: {done.copied.as_result()}")
        return replace(look, done=done)

    def finished(self, found: CloneLook, done: Finished) -> CloneLook:
        return replace(super().finished(found, done), done=done)

    def _clone(self, look: CloneLook) -> Done:
        """Copy, set up as a standby, verify, and put into place."""
        replaces = look.plan.action == REPLACED
        work = new_work("clone", self.dest, look.besides, replaces, self.params["keep_replaced"])
        begin(work)
        try:
            copied = copy(look.copying, work.incoming, self._room(look))
            self._set_up(work.incoming)
            seconds = self._verify(look, work)
            work = commit(work)
        except BaseException:
            end_orphans([move.new for move in work.moves])
            clean(self.dest)
            raise
        return Done(copied, seconds, finish(work))

    def _verify(self, look: CloneLook, work: Work) -> float | None:
        if not self.params["verify"]:
            return None
        return verify(look.copying.bin_dir, work.incoming, self.params["wal_method"] != "none")

    def _set_up(self, incoming: str) -> None:
        make_standby(incoming, self.recovery)
        os.chmod(incoming, 0o700)

    def _left_behind(self, look: CloneLook) -> list[str]:
        """Directories outside a replaced one that stay when it is deleted: nobody asked for them to go."""
        if look.plan.action != REPLACED or self.params["keep_replaced"]:
            return []
        return [path for path in outside_directories(self.dest).values() if path not in look.besides]

    def needed_recovery(self, look: CloneLook) -> dict[str, str]:
        """The settings of a kept standby that differ from the wanted ones."""
        return self.recovery.needed(look.auto_conf)

    def save_recovery(self, look: CloneLook, needed: Mapping[str, str]) -> None:
        if needed:
            write_file(os.path.join(self.dest, AUTO_CONF), write_settings(look.auto_conf, needed))

    def save_passfile(self, text: str | None) -> None:
        if text is not None and self.login.passfile:
            save_passfile(self.login.passfile, text)

    def settings_after(self, look: CloneLook) -> dict[str, str]:
        """The recovery settings as they are when all is done."""
        changed = self.recovery.fresh() if look.plan.changed else self.needed_recovery(look)
        return {**read_settings(look.auto_conf), **changed}

    def _copying(self, bin_dir: str, source: Source, dest: DataDir) -> CopyOptions:
        params, login = self.params, self.login
        pairs = {**login.pairs, "connect_timeout": str(login.connect_timeout)}
        if login.passfile and not login.password:
            pairs["passfile"] = login.passfile
        mapping = {old: os.path.realpath(new) for old, new in self.spaces.items()}
        return CopyOptions(
            bin_dir,
            pairs,
            source.address,
            passfile_line(*self._address(), login.password) if login.password else "",
            tablespaces={**self._present_tablespaces(dest, mapping), **mapping},
            wal_dir=os.path.realpath(params["wal_dir"]) if params["wal_dir"] else self._present_wal_dir(dest),
            slot=self.slot,
            max_rate=params["max_rate"] or "",
            compression=params["compression"] or "",
            **{name: params[name] for name in ("checkpoint", "wal_method", "manifest_checksums")},
        )

    def _present_tablespaces(self, dest: DataDir, mapping: Mapping[str, str]) -> dict[str, str]:
        """Places of tablespaces of a directory that is replaced: the new ones come beside them first."""
        if not dest.is_directory:
            return {}
        outside = outside_directories(self.dest)
        spaces = [path for link, path in outside.items() if os.path.basename(link) != "pg_wal"]
        return {path: path for path in spaces if path not in mapping and path not in mapping.values()}

    def _present_wal_dir(self, dest: DataDir) -> str:
        """Where the WAL of a directory is, if outside of it: there it stays when nothing else is asked for."""
        if not dest.is_directory:
            return ""
        found = outside_directories(self.dest).get(os.path.join(self.dest, "pg_wal"), "")
        inside = found and os.path.commonpath([self.dest, found]) == self.dest
        return "" if inside else found

    def _outside(self, copying: CopyOptions) -> dict[str, str]:
        wanted = dict.fromkeys(copying.tablespaces.values(), "tablespace_mapping")
        return {**wanted, copying.wal_dir: "wal_dir"} if copying.wal_dir else wanted

    def _room(self, look: CloneLook) -> int:
        places = (self.dest, *look.copying.tablespaces.values())
        return free_bytes(os.path.dirname(path) for path in places) + leftover_bytes(self.dest)
