# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A drill's result in words and tables. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]


def duration(milliseconds: float | None) -> str:
    """A time as people read it."""
    if milliseconds is None:
        return "-"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"


def count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def grid(rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns under their titles; all but the first are right-aligned."""
    cells = [list(row) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(zip(row, widths))
        )
        for row in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return [line.rstrip() for line in lines]


def summary_row(result: Result) -> list[str]:
    return [
        result["drill"],
        duration(result["write_gap_ms"]),
        duration(max((result["read_gap_ms"][node] for node in result["bystanders"]), default=None)),
        duration(result["to_first_write_ms"]),
        duration(result["to_redundancy_ms"]),
        *(count(result[name]) for name in ("acked", "acked_lost", "in_doubt")),
        "well" if result["healthy"] else "NOT WELL",
    ]


def summary(results: Iterable[Result]) -> list[str]:
    titles = ["drill", "write gap", "read gap*", "first write", "redundant", "acked", "lost", "in doubt", "cluster"]
    return grid([titles, *map(summary_row, results)])


def table(result: Result) -> str:
    """What the play prints: the drill, then every node."""
    nodes = [["node", "read gap", "part"]]
    nodes += [[node, duration(gap), part(result, node)] for node, gap in result["read_gap_ms"].items()]
    steps = [["step", "took"], *([step["name"], duration(step["ms"])] for step in result["steps"])]
    lines = [*summary([result]), "* of the nodes that nothing was done to", "", *grid(nodes), ""]
    lines += [*grid(steps), ""] if result["steps"] else []
    return "\n".join([*lines, sentence(result), *(f"! {problem}" for problem in result["problems"])])


def part(result: Result, node: str) -> str:
    return "bystander" if node in result["bystanders"] else "took part"


def sentence(result: Result) -> str:
    """What happened, for somebody who was not there."""
    return " ".join([_writes(result), _reads(result), _rows(result), _end(result)])


def _writes(result: Result) -> str:
    gap = duration(result["write_gap_ms"])
    if result["writes"] == "went on":
        return f"Writes went on; the longest wait for an acknowledgement was {gap}."
    if result["writes"] == "stopped":
        return f"Writes were NOT taken again, for {gap} until the load ended."
    first = duration(result["to_first_write_ms"])
    return f"Writes were interrupted for {gap}; the first one after the fault came {first} after it."


def _reads(result: Result) -> str:
    gaps = result["read_gap_ms"]
    quiet = [node for node, gap in gaps.items() if not gap]
    broken = [f"on {node} for {duration(gap)}" for node, gap in gaps.items() if gap]
    texts = [f"Reads went on without a break on {listed(quiet)}." if quiet else ""]
    texts += (
        [f"They were interrupted {listed(broken)}." if quiet else f"Reads were interrupted {listed(broken)}."]
        if broken
        else []
    )
    return " ".join(filter(None, texts))


def _rows(result: Result) -> str:
    lost, doubt = result["acked_lost"], result["in_doubt"]
    if lost is None:
        return "What became of the rows is not known, because no single primary could be read."
    kept = f"None of {result['acked']:,} acknowledged rows was lost" if not lost else (
        f"{lost:,} of {result['acked']:,} acknowledged rows ARE LOST"
    )  # fmt: skip
    if not doubt:
        return f"{kept}, and none is in doubt."
    return f"{kept}; {doubt:,} in doubt (sent, never acknowledged), of which {result['in_doubt_present']:,} are there."


def _end(result: Result) -> str:
    if not result["healthy"]:
        return "The cluster is NOT well afterwards."
    if not result["to_redundancy_ms"]:
        return "Every standby streamed all the time."
    return f"All standbys streamed again {duration(result['to_redundancy_ms'])} after the fault."
