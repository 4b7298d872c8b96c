# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The swap is stopped before each of its steps in turn, then done again: the end is always the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir import swap

STEPS = ("rename", "symlink", "unlink", "rmdir")


class Stopped(BaseException):
    """The process is gone."""


def make(path, **files):
    path.mkdir()
    (path / "pg_tblspc").mkdir()
    for name, text in files.items():
        (path / name).write_text(text)


@pytest.fixture
def ready(tmp_path):
    """A clone ready to be put into place, with WAL and a tablespace outside; ``replaces`` says whether over an old one."""

    def build(replaces, keep_replaced=True):
        dest, wal, space = (tmp_path / name for name in ("data", "wal", "space"))
        places = [dest, wal, space] if replaces else []
        for path in [*places, *(Path(f"{path}.incoming") for path in (dest, wal, space))]:
            make(path, whose="new" if path.suffix else "old")
        for main, suffix in ((Path(f"{dest}.incoming"), ".incoming"), (dest, "")):
            if main.exists():
                (main / "pg_wal").symlink_to(f"{wal}{suffix}")
                (main / "pg_tblspc/16384").symlink_to(f"{space}{suffix}")
        work = swap.new_work("clone", str(dest), [str(wal), str(space)], replaces, keep_replaced)
        swap.begin(work)
        return swap.commit(work, seen=True)

    return build


def stop_before(monkeypatch, number):
    """Let the process end before its step ``number``; returns how many steps there were."""
    done: list[object] = []

    def counted(real):
        def step(*args, **more):
            if len(done) == number:
                raise Stopped
            done.append(args)
            return real(*args, **more)

        return step

    for name in STEPS:
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    return done


def contents(tmp_path):
    """Every directory and whose it is, links followed; dated names without their dates."""
    found = {}
    for path in sorted(tmp_path.iterdir()):
        name = path.name.partition(".replaced-")[0] + (".replaced" if ".replaced-" in path.name else "")
        links = [path / "pg_wal", *(path / "pg_tblspc").glob("*")] if (path / "pg_wal").is_symlink() else []
        found[name] = [(path / "whose").read_text(), *((link / "whose").read_text() for link in links)]
    return found


NEW = {"data": ["new"] * 3, "wal": ["new"], "space": ["new"]}
OLD = {"data.replaced": ["old"] * 3, "wal.replaced": ["old"], "space.replaced": ["old"]}


@pytest.mark.parametrize(
    ("replaces", "keep_replaced", "expected"),
    [(False, True, NEW), (True, True, {**NEW, **OLD}), (True, False, NEW)],
    ids=["new", "set aside", "deleted"],
)
def test_stopped_anywhere_and_done_again(tmp_path, monkeypatch, ready, replaces, keep_replaced, expected):
    number = 0
    while True:
        work = ready(replaces, keep_replaced)
        with monkeypatch.context() as patched:
            done = stop_before(patched, number)
            try:
                kept = swap.finish(work)
            except Stopped:
                kept = None
        stopped = len(done) == number and swap.read_work(work.dest) is not None
        if stopped:
            again = swap.read_work(work.dest)
            assert again and again == work
            kept = swap.finish(again)
        assert contents(tmp_path) == expected, f"stopped before step {number}"
        assert bool(kept) == (replaces and keep_replaced)
        if not stopped:
            break
        for path in tmp_path.iterdir():
            shutil.rmtree(path)
        number += 1
    assert number >= 6


def test_a_newcomer_is_not_touched(tmp_path, ready):
    work = ready(replaces=False)
    make(tmp_path / "data", whose="newcomer")
    with pytest.raises(swap.SwapFailed, match="meanwhile"):
        swap.finish(work)
    assert (tmp_path / "data/whose").read_text() == "newcomer"
    assert (tmp_path / "data.incoming/whose").read_text() == "new"


def test_clean_removes_only_unfinished_work(tmp_path):
    dest = tmp_path / "data"
    work = swap.new_work("clone", str(dest), [str(tmp_path / "wal")], False, True)
    swap.begin(work)
    make(tmp_path / "data.incoming", part="x" * 1000)
    make(tmp_path / "wal.incoming")
    make(tmp_path / "wal.somebody")
    assert swap.leftover_bytes(str(dest)) >= 1000
    swap.clean(str(dest))
    assert [path.name for path in tmp_path.iterdir()] == ["wal.somebody"]

    make(tmp_path / "data.incoming")
    swap.clean(str(dest))
    assert (tmp_path / "data.incoming").exists(), "without a note it is not ours"
    swap.commit(work)
    swap.clean(str(dest))
    assert (tmp_path / "data.incoming").exists(), "what is ready is not rubbish"


def test_dated_names_are_unique(tmp_path):
    dest = str(tmp_path / "data")
    first = swap.new_work("clone", dest, (), True, True)
    os.mkdir(first.main.aside)
    second = swap.new_work("clone", dest, (), True, True)
    assert second.main.aside != first.main.aside


def test_lock_keeps_a_second_run_away_and_leaves_nothing(tmp_path):
    dest = str(tmp_path / "deep/data")
    with swap.lock(dest):
        assert swap.is_locked(dest)
        with pytest.raises(swap.Busy), swap.lock(dest):
            pass
        with pytest.raises(swap.Busy):
            swap.refuse_busy(dest)
    assert not swap.is_locked(dest)
    assert os.listdir(tmp_path / "deep") == []
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700


def test_lock_of_a_dead_process_does_not_count(tmp_path):
    (tmp_path / "data.incoming.lock").touch()
    assert not swap.is_locked(str(tmp_path / "data"))
    with swap.lock(str(tmp_path / "data")):
        pass
    assert subprocess.run(["ls", "-A", tmp_path], capture_output=True, text=True, check=True).stdout == ""
