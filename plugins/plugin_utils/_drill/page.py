# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The page of a drill: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from .text import count, duration, part, sentence

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #30363d; max-width: 1080px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.lead { color: #57606a; margin-top: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .8rem; margin: 1.2rem 0; }
.tile { border: 1px solid #d9dde2; border-radius: 8px; padding: .6rem .9rem; }
.tile b { display: block; font-size: 1.35rem; } .tile span { color: #57606a; font-size: .85rem; }
.bad { border-color: #d1495b; background: #fdf1f2; } .bad b { color: #b3273b; }
svg { width: 100%; height: auto; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .25rem 1.4rem .25rem 0; }
th { color: #57606a; font-weight: 600; border-bottom: 1px solid #d9dde2; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
.columns { display: flex; flex-wrap: wrap; gap: 0 4rem; } .problem { color: #b3273b; }
details { margin-top: 1.5rem; } footer { color: #57606a; font-size: .85rem; margin-top: 2rem; border-top: 1px solid #d9dde2; }
"""
MEANING = """
Write gap: the longest time between two acknowledgements. Read gap: from a read that fails, or takes longer than 250 ms, to the
next answer; 0 when there was none. First write: from the fault to the acknowledgement that ends the interruption. Redundancy: from
the fault until every other node streams from the primary, for good. A row in doubt was sent and never acknowledged: its client
cannot know, so both outcomes are right. The fault is marked just before the command that causes it.
"""


def page(result: Mapping[str, Any], picture: str) -> str:
    """The whole document; ``picture`` is an SVG element."""
    problems = "".join(f"<p class='problem'>{escape(problem)}</p>" for problem in result["problems"])
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Drill: {escape(result["title"])}</title><style>{STYLE}</style></head><body>
<h1>{escape(result["title"])}</h1>
<p class="lead">{escape(result["shows"])}</p>
<div class="tiles">{tiles(result)}</div>
<p>{escape(sentence(result))}</p>{problems}
{picture}
<div class="columns"><div><h2>What happened</h2>{events(result["events"])}</div>
<div><h2>Reads</h2>{reads(result)}</div></div>
{steps(result["steps"])}
<footer><p>{escape(MEANING.strip())}</p><p>{escape(result["began"])}, PostgreSQL {escape(result["version"])},
standbys {escape(result["synchronous"])},
{result["writes_per_second"]:g} writes a second.</p></footer>
</body></html>
"""


def tiles(result: Mapping[str, Any]) -> str:
    bystanders = max((result["read_gap_ms"][node] for node in result["bystanders"]), default=None)
    shown = [
        (duration(result["write_gap_ms"]), "write gap", False),
        (duration(bystanders), "read gap of bystanders", bool(bystanders)),
        (duration(result["to_first_write_ms"]), "fault to first write", False),
        (duration(result["to_redundancy_ms"]), "fault to full redundancy", not result["healthy"]),
        (count(result["acked_lost"]), f"of {count(result['acked'])} acknowledged rows lost", result["acked_lost"] != 0),
        (count(result["in_doubt"]), f"rows in doubt, {count(result['in_doubt_present'])} there", False),
    ]
    return "".join(
        f"<div class='tile{' bad' if bad else ''}'><b>{escape(value)}</b><span>{escape(label)}</span></div>"
        for value, label, bad in shown
    )


def rows(titles: Sequence[str], lines: Iterable[Sequence[str]], numbers: Sequence[int]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(
        "<tr>" + "".join(f"<td{' class=n' if column in numbers else ''}>{escape(cell)}</td>" for column, cell in enumerate(line))
        + "</tr>"
        for line in lines
    )  # fmt: skip
    return f"<table><tr>{head}</tr>{body}</table>"


def events(happened: Sequence[Mapping[str, Any]]) -> str:
    lines = [[str(number), f"{event['at_ms'] / 1000:.2f} s", event["text"]] for number, event in enumerate(happened, 1)]
    return rows(["", "time", "event"], lines, [0, 1])


def reads(result: Mapping[str, Any]) -> str:
    lines = [[node, duration(gap), part(result, node)] for node, gap in result["read_gap_ms"].items()]
    return rows(["node", "read gap", ""], lines, [1])


def steps(done: Sequence[Mapping[str, Any]]) -> str:
    """Where the time of each command went, folded away."""
    return "".join(
        f"<details><summary>{escape(step['name'])}: {duration(step['ms'])}</summary>"
        + rows(["task", "took"], [[task["name"], duration(task["ms"])] for task in step["tasks"]], [1])
        + "</details>"
        for step in done
    )
