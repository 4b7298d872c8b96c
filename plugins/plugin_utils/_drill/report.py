# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""From a recording and the servers to the result of a drill, as a document and as a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import analysis
from .analysis import Verdict, milliseconds
from .client import Failed, Session
from .load import CONNECT_SECONDS, Load
from .page import page
from .plot import svg
from .recording import Event, Recording, Step

ROWS = "SELECT number FROM drill_rows"
ROWS_SECONDS = 30.0


@dataclass(frozen=True)
class About:
    """What only the play knows about a drill."""

    drill: str
    title: str
    shows: str
    began: str
    version: str = ""
    synchronous: str = "async"
    bystanders: Sequence[str] = ()
    may_lose: bool = False
    undisturbed: bool = False
    problems: Sequence[str] = field(default_factory=list)


def rows_of(load: Load, node: str) -> list[int]:
    """The rows that a node has now; Failed when it cannot be read."""
    session = Session(load.reader_target(node), CONNECT_SECONDS)
    try:
        return [number for (number,) in session.query(ROWS, (), ROWS_SECONDS)]
    finally:
        session.close()


def read_tables(load: Load) -> tuple[dict[str, list[int]], list[str]]:
    """The rows of every node that can be read, and a sentence for each that cannot."""
    tables: dict[str, list[int]] = {}
    problems = []
    for node in load.nodes:
        try:
            tables[node] = rows_of(load, node)
        except Failed as failure:
            problems.append(f"The rows of {node} could not be read: {failure}")
    return tables, problems


def result_of(
    recording: Recording, verdict: Verdict, about: About, problems: Iterable[str], rate: float
) -> dict[str, Any]:
    """The document that is written, printed and shown."""
    found = [*about.problems, *problems, *_problems(verdict, about)]
    return {
        "drill": about.drill,
        "title": about.title,
        "shows": about.shows,
        "began": about.began,
        "version": about.version,
        "synchronous": about.synchronous,
        "writes_per_second": rate,
        "seconds": round(recording.ended - recording.started, 1),
        **verdict.as_result(),
        "bystanders": list(about.bystanders),
        "healthy": not found,
        "problems": found,
        "events": [
            {"at_ms": milliseconds(event.at - verdict.fault), "kind": event.kind, "text": event.text}
            for event in marks(recording, verdict)
        ],
        "steps": [_step(step, verdict.fault) for step in recording.steps],
    }


def _problems(verdict: Verdict, about: About) -> list[str]:
    problems = [f"{node} differs from the primary in {count} rows." for node, count in verdict.differing.items()]
    if verdict.writes == analysis.STOPPED:
        problems.append("Nobody took writes when the load ended.")
    if verdict.redundancy is None:
        problems.append("Not every standby streamed from the primary when the load ended.")
    if verdict.rows and verdict.rows.foreign:
        problems.append(f"{len(verdict.rows.foreign)} rows are there that nobody sent.")
    if verdict.rows and verdict.rows.lost and not about.may_lose:
        problems.append(f"{len(verdict.rows.lost)} rows were acknowledged and are lost.")
    if verdict.rows and verdict.rows.in_doubt and about.undisturbed:
        problems.append(f"{len(verdict.rows.in_doubt)} writes failed, and none should have noticed anything.")
    return problems


def marks(recording: Recording, verdict: Verdict) -> list[Event]:
    """What is worth a line in the picture, in its order: what was done, and what was seen of it."""
    seen = analysis.observed(recording.reads)
    if verdict.redundancy:
        seen.append(Event(verdict.fault + verdict.redundancy, analysis.REDUNDANT, "all standbys stream again"))
    if verdict.first_write is not None:
        seen.append(Event(verdict.write_gap.start, "last_write", "last write before the interruption"))
        seen.append(Event(verdict.fault + verdict.first_write, "first_write", "first write after it"))
    done = [event for event in recording.events if event.kind != "ready"]
    return sorted([*done, *seen], key=lambda event: event.at)


def _step(step: Step, fault: float) -> dict[str, Any]:
    """Where the time of a command went: what came before its first task, then every task."""
    names = ["(start of ansible-playbook)", *(name for name, _at in step.tasks)]
    times = [step.began, *(at for _name, at in step.tasks), step.ended]
    return {
        "name": step.name,
        "at_ms": milliseconds(step.began - fault),
        "ms": milliseconds(step.ended - step.began),
        "tasks": [{"name": name, "ms": milliseconds(end - at)} for name, at, end in zip(names, times, times[1:])],
    }


def since_ready(recording: Recording) -> Recording:
    """Without what happened before everybody was at work."""
    ready = min((event.at for event in recording.events if event.kind == "ready"), default=0.0)
    return replace(recording, reads=tuple(read for read in recording.reads if read.sent >= ready))


def write_report(directory: Path, result: Mapping[str, Any], recording: Recording, verdict: Verdict) -> list[str]:
    """NAME.json and NAME.html; their paths."""
    picture = svg(recording, marks(recording, verdict), verdict.fault)
    files = {".json": json.dumps(result, indent=2) + "\n", ".html": page(result, picture)}
    paths = [directory / f"{result['drill']}{suffix}" for suffix in files]
    for path, text in zip(paths, files.values()):
        path.write_text(text, encoding="utf-8")
    return [str(path) for path in paths]
