# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Look at a place and a repository, lay a backup out there, and bring it to its target."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .._backup.repository import Repository
from .._clone.command import WAL_RESERVE, free_bytes
from .._clone.command import verify as verify_backup
from .._datadir.around import Finished, check_paths, look_around
from .._datadir.facts import INCOMING, DataDir, bin_dir_version, find_bin_dir, find_server, inspect, programs_of
from .._datadir.owner import refuse_unwritable
from .._datadir.place import Place, Plan
from .._datadir.process import end_orphans
from .._datadir.swap import Work, begin, clean, commit, finish, leftover_bytes, new_work
from .._datadir.workflow import Look, Workflow
from .._errors import InvalidInput, PgFleetError
from .._postgres.login import Following
from .._postgres.recovery import AUTO_CONF
from .._postgres.settings import setting_texts
from .._postgres.standby import make_standby, read_text
from .choice import AUTO, Choice, Found, RestoreRefused, choose
from .ended import RecoveryFailed
from .layout import (
    RECOVERY,
    change_settings,
    find_note,
    flush,
    limits_of,
    loadable_libraries,
    origin_libraries,
    own_name,
    set_apart,
    signal,
    write_note,
)
from .note import FILES, SIDE, STANDBY, Note, Wanted, differences
from .plan import PROMOTED, REMOVED, RESTORED, STARTED, STOPPED, Running, plan_absent, plan_present
from .prepared import REPLACED, plan_prepared, put_into_place
from .server import Restored, refuse_used_socket
from .settings import PROMOTE, SideOptions, for_directory, in_place_recovery, side_recovery
from .target import LATEST, TARGET_SETTINGS, parse_target

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

#: What a server in place has for its recovery alone; afterwards its own files say it.
ONLY_WHILE_IT_RECOVERS = ("restore_command", "recovery_min_apply_delay")
_ELSEWHERE = "Give that directory to the server's user, or name another place with tablespace_mapping."


@dataclass(frozen=True)
class RestoreLook(Look):
    """``choice``: only where something is to be laid out. ``running``: what a server says that runs there."""

    note: Note | None = None
    choice: Choice | None = None
    running: Running | None = None
    tablespaces: tuple[tuple[str, str], ...] = ()
    bin_dir: str = ""
    replaced_path: str | None = None
    seconds: float | None = None
    recovery_seconds: float | None = None

    @property
    def chosen(self) -> Choice:
        """The choice of a look whose plan is to lay something out."""
        if self.choice is None:
            raise PgFleetError("Nothing was chosen to be restored.")
        return self.choice

    @property
    def noted(self) -> Note:
        """The note of a look whose plan goes on with what was laid out."""
        if self.note is None:
            raise PgFleetError("The restored directory has lost its note.", "Restore again.")
        return self.note


class Restore(Workflow[RestoreLook]):
    """One directory, one repository, and what is wanted there, as the module's options say."""

    noun = "restore"
    actions = (RESTORED, RESTORED)

    def __init__(self, module: AnsibleModule, repository: Repository) -> None:
        super().__init__(module)
        params = self.params
        self.repository = repository
        self.spaces = {str(old): str(new) for old, new in params["tablespace_mapping"].items()}
        check_paths(params["data_directory"], {f"tablespace_mapping[{old}]": new for old, new in self.spaces.items()})
        self.dest = os.path.realpath(params["data_directory"])
        self.beside = os.path.realpath(params["prepared"]) if params["prepared"] else ""
        self.settings = setting_texts(params["settings"])
        self.wanted = self._wanted()
        self.segment_bytes = params["wal_segment_size"] * 1024 * 1024

    def _wanted(self) -> Wanted:
        params = self.params
        target = parse_target(params["target_type"], params["target"], params["inclusive"])
        mode, action = params["mode"], params["action"]
        if params["prepared"] and mode == SIDE:
            raise InvalidInput("prepared is for a server that others start.", "Give mode: files or mode: standby.")
        if mode == SIDE and not 0 < params["server_port"] < 65536:
            raise InvalidInput(f"server_port is {params['server_port']}.", "Give one from 1 to 65535.")
        if target.type == LATEST and action != PROMOTE:
            raise InvalidInput(
                f"action {action} needs a target: the end of the archive is none for PostgreSQL, which promotes there.",
                "Give target_type lsn or time, or action promote.",
            )
        if mode == STANDBY and target.type != LATEST:
            raise InvalidInput("A standby has no target: it follows.", "Leave target_type out, or give another mode.")
        return Wanted(
            mode,
            target,
            action,
            None if params["set"] == AUTO else params["set"],
            params["timeline"],
            params["server_port"] if mode == SIDE else None,
            os.path.realpath(params["socket_directory"] or self.dest) if mode == SIDE else "",
        )

    # What is there

    def look(self) -> RestoreLook:
        bin_dir: str = programs_of(self.dest, self.params["bin_dir"])
        dest, note = inspect(self.dest, bin_dir), find_note(self.dest)
        restored = self._restored(bin_dir, note)
        running = restored.running() if note and note.mode != STANDBY else None
        if self.params["state"] == "absent":
            return RestoreLook(dest, plan_absent(Place(dest), note), note, None, running, (), bin_dir)
        if self.beside and dest.incoming != "swapping" and not self._is_in_place(note):
            return RestoreLook(dest, self._plan_prepared(dest, bin_dir), note, None, running, (), bin_dir)
        if not dest.vacant or dest.incoming == "swapping":
            plan = plan_present(look_around(dest, {}), note, self.wanted, running)
            return RestoreLook(dest, plan, note, None, running, (), bin_dir)
        return self._look_into_repository(dest)

    def _is_in_place(self, note: Note | None) -> bool:
        """Whether an earlier run has put what was prepared into its place."""
        return note is not None and not os.path.lexists(self.beside) and not differences(note, self.wanted)

    def _plan_prepared(self, dest: DataDir, bin_dir: str) -> Plan:
        return plan_prepared(dest, inspect(self.beside, bin_dir), self._note_beside(), self.wanted)

    def _note_beside(self) -> Note | None:
        return find_note(self.beside) or find_note(self.beside, self.dest)

    def _look_into_repository(self, dest: DataDir) -> RestoreLook:
        choice = self._choose()
        bin_dir = self.params["bin_dir"] or find_bin_dir(_major(choice.backup.server_version))
        self._refuse_other_version(choice, bin_dir)
        tablespaces = self._tablespaces(choice)
        place = look_around(dest, dict.fromkeys(tablespaces.values(), "tablespace_mapping"))
        plan = plan_present(place, None, self.wanted, None)
        return RestoreLook(dest, plan, None, choice, None, tuple(tablespaces.items()), bin_dir)

    def _choose(self) -> Choice:
        found = Found(
            self.repository.sets(), self.repository.archived(self.segment_bytes), self.segment_bytes, time.time()
        )
        wanted = self.wanted
        return choose(found, wanted.target, wanted.label or AUTO, wanted.timeline, whole_way=wanted.mode != SIDE)

    def _refuse_other_version(self, choice: Choice, bin_dir: str) -> None:
        expected, backup = self.params["system_identifier"], choice.backup
        if expected and backup.system_identifier != expected:
            raise RestoreRefused(
                f"Set '{backup.label}' is of the cluster {backup.system_identifier}, not of {expected}.",
                "Give the repository of this cluster.",
                "other_cluster",
            )
        if bin_dir_version(bin_dir) != _major(backup.server_version):
            raise RestoreRefused(
                f"Set '{backup.label}' is of PostgreSQL {backup.server_version}, but the programs in '{bin_dir}' are of"
                f" {bin_dir_version(bin_dir)}.",
                f"Install PostgreSQL {_major(backup.server_version)} here, or give its bin_dir.",
                "version_mismatch",
            )

    def _tablespaces(self, choice: Choice) -> dict[str, str]:
        """Every tablespace and where it goes. A side server must not get the directories of the living one."""
        places = self.repository.tablespaces(choice.backup)
        unknown = [old for old in self.spaces if old not in places]
        left = [old for old in places if old not in self.spaces]
        if unknown:
            raise InvalidInput(
                f"Set '{choice.backup.label}' has no tablespace '{unknown[0]}'; it has {', '.join(places) or 'none'}.",
                "Correct tablespace_mapping.",
            )
        if left and self.wanted.mode == SIDE:
            raise InvalidInput(
                f"Set '{choice.backup.label}' has the tablespace '{left[0]}', and tablespace_mapping does not say where it goes.",
                "Give every tablespace a directory of its own; the origin may live in the present one.",
                "tablespace_unmapped",
                tablespaces=left,
            )
        return {old: os.path.realpath(self.spaces.get(old, old)) for old in places}

    # What stops the work

    def rehearse(self, found: RestoreLook) -> RestoreLook:
        if found.plan.action == RESTORED and found.choice:
            refuse_unwritable([new for _old, new in found.tablespaces], _ELSEWHERE)
            self._refuse_too_large(found, found.choice)
        if self.wanted.mode == SIDE and found.plan.action in (RESTORED, STARTED):
            refuse_used_socket(self.wanted.socket_directory, self.params["server_port"])
        return found

    def _refuse_too_large(self, found: RestoreLook, choice: Choice) -> None:
        places = [self.dest, *(new for _old, new in found.tablespaces)]
        room = free_bytes(os.path.dirname(path) for path in places) + leftover_bytes(self.dest)
        needed = choice.backup.database_bytes + WAL_RESERVE
        if needed > room:
            raise RestoreRefused(
                f"Set '{choice.backup.label}' needs {needed / 1e6:.1f} MB, but only {room / 1e6:.1f} are free for '{self.dest}'.",
                "Free space, or give a data_directory on a larger file system.",
                "not_enough_space",
                needed_bytes=needed,
                free_bytes=room,
            )

    # What is done

    def make(self, found: RestoreLook) -> RestoreLook:
        self.rehearse(found)
        first = self.first.plan
        self.module.log(f"restore in {self.dest}: {found.plan.action}: {found.plan.sentence}")
        done = self._done(found)
        keeps_words = first.action in (found.plan.action, RESTORED) and not first.finish
        return replace(done, plan=first) if keeps_words and first.changed else done

    def _done(self, found: RestoreLook) -> RestoreLook:
        action = found.plan.action
        if action == REMOVED:
            return self._remove(found)
        if action == REPLACED:
            return self._replace(found)
        if action == RESTORED:
            found = self._lay_out(found)
            return self._recover(found) if self.wanted.mode == SIDE else found
        if action == STOPPED:
            self._restored(found.bin_dir, found.note).stop()
            write_note(self.dest, replace(found.noted, reached={**(found.noted.reached or {}), "state": "shut_down"}))
            return replace(self._looked(found), running=None)
        return self._recover(found)

    def finished(self, found: RestoreLook, done: Finished) -> RestoreLook:
        return replace(super().finished(found, done), note=found.note, replaced_path=done.replaced_path)

    def _replace(self, found: RestoreLook) -> RestoreLook:
        note = self._note_beside()
        if note is None:
            raise PgFleetError(f"'{self.beside}' has lost its note.", "Restore again.")
        aside = put_into_place(self.beside, self.dest, note, self.wanted, self.repository.restore_command())
        return replace(self._looked(found), replaced_path=aside)

    def _lay_out(self, found: RestoreLook) -> RestoreLook:
        began = time.monotonic()
        work = new_work("restore", self.dest, [new for _old, new in found.tablespaces], False, True)
        begin(work)
        try:
            spaces = {old: new + INCOMING for old, new in found.tablespaces}
            os.mkdir(work.incoming, 0o700)
            self.repository.lay_out(found.chosen.chain, work.incoming, spaces)
            self._verify(found, work)
            self._set_up(found, work.incoming)
            flush(work.incoming, found.bin_dir)
            work = commit(work)
        except BaseException:
            end_orphans([move.new for move in work.moves])
            clean(self.dest)
            raise
        finish(work)
        return replace(self._looked(found), seconds=round(time.monotonic() - began, 2))

    def _verify(self, found: RestoreLook, work: Work) -> None:
        """pgBackRest compares every file with its checksum while it writes; elsewhere the manifest tells."""
        if self.params["verify"] and os.path.exists(os.path.join(work.incoming, "backup_manifest")):
            verify_backup(found.bin_dir, work.incoming, False)
        laid_out = inspect(work.incoming, found.bin_dir)
        if laid_out.system_identifier != found.chosen.backup.system_identifier:
            raise RestoreRefused(
                f"Set '{found.chosen.backup.label}' is to be of the cluster {found.chosen.backup.system_identifier}, but its control file"
                f" is of {laid_out.system_identifier or 'none'}.",
                "Look at the repository; give another set.",
                "other_cluster",
            )
        if laid_out.wal_segment_bytes != self.segment_bytes:
            raise RestoreRefused(
                f"The WAL segments of the cluster have {laid_out.wal_segment_bytes >> 20} MB, not {self.segment_bytes >> 20}.",
                f"Give wal_segment_size: {laid_out.wal_segment_bytes >> 20}.",
                "invalid_input",
            )

    def _set_up(self, found: RestoreLook, incoming: str) -> None:
        timeline = found.chosen.lineage.timeline
        wanted, command = self.wanted, self.repository.restore_command()
        note = Note(
            self.dest,
            os.stat(incoming).st_ino,
            wanted.mode,
            found.chosen.backup.as_result(),
            wanted.target.as_noted,
            timeline,
            wanted.action,
            tablespaces=tuple(new for _old, new in found.tablespaces),
            doubt=found.chosen.doubt,
        )
        if wanted.mode == STANDBY:
            change_settings(incoming, {"restore_command": command}, TARGET_SETTINGS)
            signal(incoming, "standby.signal")
            make_standby(incoming, self.following.recovery)
        elif wanted.mode == FILES:
            recovery = in_place_recovery(wanted.target, timeline, wanted.action, command)
            change_settings(incoming, recovery, TARGET_SETTINGS)
            signal(incoming, RECOVERY)
        else:
            signal(incoming, RECOVERY)
        write_note(incoming, note)
        os.chmod(incoming, 0o700)

    @property
    def following(self) -> Following:
        return Following.from_params(self.params)

    def _recover(self, found: RestoreLook) -> RestoreLook:
        """Start the server where that is ours to do, and wait for the end of its recovery."""
        began = time.monotonic()
        if found.noted.mode == FILES:
            return self._await_others(found)
        restored = self._restored(found.bin_dir, found.note)
        note = self._configured(found)
        try:
            reached = self._bring_to_target(restored)
        except RecoveryFailed as error:
            self._after_failure(restored, error)
            raise
        note = self._noted(note, reached, restored)
        return replace(self._looked(found), note=note, recovery_seconds=round(time.monotonic() - began, 2))

    def _bring_to_target(self, restored: Restored) -> dict[str, Any]:
        timeout = float(self.params["recovery_timeout"])
        if find_server(self.dest) is None:
            restored.start()
        reached = dict(restored.wait_for_end(timeout))
        if reached["state"] == "paused" and self.wanted.action == PROMOTE:
            restored.promote(timeout)
            reached = dict(restored.wait_for_end(timeout))
        return reached

    def _after_failure(self, restored: Restored, error: RecoveryFailed) -> None:
        if error.code in ("recovery_unfinished", "promotion_unfinished"):
            return
        restored.stop()
        if not self.params["keep"]:
            self._remove(self._looked(replace(self.first, dest=inspect(self.dest, restored.bin_dir))))

    def _configured(self, found: RestoreLook) -> Note:
        """The files of a side server as they must be at its next start; those of a running one stay."""
        note = found.noted
        if find_server(self.dest) is not None:
            return replace(note, action=self.wanted.action)
        libraries, lacking = loadable_libraries(found.bin_dir, self.settings, origin_libraries(self.dest))
        if lacking:
            self.module.warn(f"The side server does without libraries that this machine lacks: {', '.join(lacking)}.")
        options = SideOptions(
            self.params["server_port"],
            self.wanted.socket_directory,
            own_name(),
            self.params["superuser"],
            self.settings,
            limits_of(self.dest, found.bin_dir),
            libraries,
        )
        command = for_directory(self.repository.restore_command(), self.dest)
        recovery = side_recovery(self.wanted.target, note.timeline, self.wanted.action, command)
        set_apart(self.dest, options, recovery)
        note = replace(note, action=self.wanted.action, port=options.port, socket_directory=options.socket_directory)
        write_note(self.dest, note)
        return note

    def _noted(self, note: Note, reached: dict[str, Any], restored: Restored) -> Note:
        """What was reached; a server that was started again afterwards does not know it any more."""
        if reached["state"] == "shut_down":
            dest = inspect(self.dest, restored.bin_dir)
            reached = {**reached, "lsn": dest.min_recovery_lsn or dest.checkpoint_lsn, "timeline": dest.timeline}
        before = note.reached or {}
        kept = {name: before.get(name) if value is None else value for name, value in reached.items()}
        note = replace(note, reached=before if before.get("state") == PROMOTED else kept)
        write_note(self.dest, note)
        return note

    def _await_others(self, found: RestoreLook) -> RestoreLook:
        """A server that others have started: see the end of its recovery, then take the target out of its settings."""
        began = time.monotonic()
        restored = self._restored(found.bin_dir, found.note)
        if find_server(self.dest) is None:
            reached: dict[str, Any] = {"lsn": None, "time": None, "timeline": found.dest.timeline, "state": PROMOTED}
        else:
            reached = dict(restored.wait_for_end(float(self.params["recovery_timeout"])))
        if reached["state"] != PROMOTED:  # it may be looked at, and be promoted, by whoever has paused it
            return replace(found, note=replace(found.noted, reached=reached))
        if (
            change_settings(self.dest, {}, (*TARGET_SETTINGS, *ONLY_WHILE_IT_RECOVERS))
            and find_server(self.dest) is not None
        ):
            with restored.session() as server:
                server.row("SELECT pg_reload_conf()")
        note = self._noted(found.noted, reached, restored)
        return replace(self._looked(found), note=note, recovery_seconds=round(time.monotonic() - began, 2))

    def _remove(self, found: RestoreLook) -> RestoreLook:
        """Stop the side server and take its directories away, so that a run that is killed is finished by the next."""
        if found.note is not None:
            self._restored(found.bin_dir, found.note).stop()
            work = new_work("restore", self.dest, found.note.tablespaces, False, True)
            begin(work)
            for move in work.moves:
                if os.path.lexists(move.final):
                    os.rename(move.final, move.new)
        clean(self.dest)
        return self._looked(found)

    def needed_recovery(self, look: RestoreLook) -> dict[str, str]:
        """The settings of a kept standby that differ from the wanted ones."""
        if self.wanted.mode != STANDBY or look.plan.changed or self.params["state"] == "absent":
            return {}
        return self.following.recovery.needed(read_text(os.path.join(self.dest, AUTO_CONF)))

    def save_recovery(self, needed: dict[str, str]) -> None:
        if needed:
            change_settings(self.dest, needed)

    def _restored(self, bin_dir: str, note: Note | None) -> Restored:
        return Restored(self.dest, bin_dir, self.params["superuser"], note.doubt if note else "")

    def _looked(self, found: RestoreLook) -> RestoreLook:
        dest, note = inspect(self.dest, found.bin_dir), find_note(self.dest)
        return replace(found, dest=dest, note=note)


def _major(version: str) -> int:
    return int(version.split(".")[0])
