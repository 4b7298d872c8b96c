# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The picture of a drill: writes, their latency, and a lane for every node, on one time line."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from .recording import Event, Read, Recording

BLUE, NAVY, RED, GREEN, AMBER, GREY, INK = "#8fb8de", "#1f4e79", "#d1495b", "#5aa469", "#e9b44c", "#d9dde2", "#30363d"
LEGEND = (("standby answers", BLUE), ("primary answers", NAVY), ("read fails", RED),
          ("all standbys stream", GREEN), ("some do not", AMBER), ("no primary answers", GREY))  # fmt: skip
BIN_SECONDS = 0.1
WORDS: Any = {
    "font.size": 9,
    "axes.edgecolor": "#9aa4af",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "svg.hashsalt": "drill",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
Lane = list[tuple[float, float, str]]


def lane_of(reads: Iterable[Read], zero: float) -> Lane:
    """Stretches of one node: start, length, colour; reads of the same outcome that follow each other are one."""
    return _stretches((read.sent - zero, read.done - zero, _colour(read)) for read in reads)


def _colour(read: Read) -> str:
    return RED if not read.ok else NAVY if read.role == "primary" else BLUE


def redundancy_lane(reads: Iterable[Read], nodes: Sequence[str], zero: float) -> Lane:
    """How many standbys streamed, as the primary told it."""
    marks: list[tuple[float, float, str]] = []
    leader = ""
    for read in sorted(reads, key=lambda read: read.done):
        leader = read.node if read.role == "primary" else leader
        if read.node == leader:
            whole = len(read.standbys) == len(nodes) - 1
            colour = GREY if read.role != "primary" else GREEN if whole else AMBER
            marks.append((read.sent - zero, read.done - zero, colour))
    return _stretches(marks)


def _stretches(marks: Iterable[tuple[float, float, str]]) -> Lane:
    lane: Lane = []
    for start, end, colour in marks:
        if lane and lane[-1][2] == colour:
            lane[-1] = (lane[-1][0], end - lane[-1][0], colour)
            continue
        if lane:  # until something else is known, it was as before
            lane[-1] = (lane[-1][0], start - lane[-1][0], lane[-1][2])
        lane.append((start, end - start, colour))
    return lane


def svg(recording: Recording, marks: Sequence[Event], zero: float) -> str:
    """The picture as one SVG element; ``marks`` become numbered lines, second 0 is at ``zero``."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    with pyplot.rc_context(WORDS):
        lanes = len(recording.nodes) + 1
        heights = [1.5, 1.5, 0.42 * lanes]
        figure, axes = pyplot.subplots(
            3, 1, sharex=True, figsize=(11, sum(heights) + 1.3), layout="constrained", height_ratios=heights
        )
        draw_rate(axes[0], recording, zero)
        draw_latency(axes[1], recording, zero)
        draw_lanes(axes[2], recording, zero)
        draw_marks(axes, marks, zero)
        axes[2].set_xlim(recording.started - zero, recording.ended - zero)
        axes[2].set_xlabel("seconds after the fault")
        text = io.StringIO()
        figure.savefig(text, format="svg", dpi=150, metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    whole = text.getvalue()
    return whole[whole.index("<svg") :]


def draw_rate(axis: Any, recording: Recording, zero: float) -> None:
    acks = [write.acked - zero for write in recording.writes if write.acked is not None]
    begin, end = recording.started - zero, recording.ended - zero
    edges = [begin + BIN_SECONDS * number for number in range(int((end - begin) / BIN_SECONDS) + 2)]
    counts = [0] * (len(edges) - 1)
    for ack in acks:
        counts[min(int((ack - begin) / BIN_SECONDS), len(counts) - 1)] += 1
    axis.stairs([count / BIN_SECONDS for count in counts], edges, fill=True, color=NAVY, alpha=0.85)
    axis.set_ylabel("commits / s")
    axis.set_ylim(bottom=0)


def draw_latency(axis: Any, recording: Recording, zero: float) -> None:
    done = [(write.sent - zero, write.acked - write.sent) for write in recording.writes if write.acked is not None]
    doubt = [write.sent - zero for write in recording.writes if write.acked is None]
    axis.scatter(
        [at for at, _took in done], [1000 * took for _at, took in done], s=5, color=NAVY, linewidths=0, rasterized=True
    )
    axis.set_yscale("log")
    axis.set_ylabel("commit takes, ms")
    if doubt:
        top = axis.get_ylim()[1]
        axis.scatter(doubt, [top] * len(doubt), marker="x", s=28, color=RED, clip_on=False, label="never acknowledged")
        axis.legend(loc="upper right", frameon=False)
    axis.yaxis.set_major_formatter(lambda value, _position: f"{value:g}")
    axis.grid(axis="y", color="#eceff2")
    axis.set_axisbelow(True)


def draw_lanes(axis: Any, recording: Recording, zero: float) -> None:
    nodes = recording.nodes
    lanes = [lane_of([read for read in recording.reads if read.node == node], zero) for node in nodes]
    lanes.append(redundancy_lane(recording.reads, nodes, zero))
    for row, lane in enumerate(lanes):
        axis.broken_barh([piece[:2] for piece in lane], (row - 0.32, 0.64), facecolors=[piece[2] for piece in lane])
    axis.set_yticks(range(len(lanes)), [*nodes, "redundancy"])
    axis.set_ylim(len(lanes) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=label) for label, colour in LEGEND]
    axis.legend(handles=handles, ncols=6, loc="upper center", bbox_to_anchor=(0.5, -0.28), frameon=False,
                handlelength=1, columnspacing=1.4)  # fmt: skip


def draw_marks(axes: Sequence[Any], marks: Sequence[Event], zero: float) -> None:
    """A line through everything for each mark, with its number above; those that crowd share their place."""
    left, right = axes[0].get_xlim()
    apart = (right - left) / 60
    last, level = float("-inf"), 0
    for number, mark in enumerate(marks, 1):
        at = mark.at - zero
        for axis in axes:
            axis.axvline(at, color=RED if mark.kind == "fault" else INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=3)
        level = level + 1 if at - last < apart else 0
        last = at
        axes[0].annotate(
            str(number), (at, 1), xycoords=("data", "axes fraction"), xytext=(0, 8 + 15 * level),
            textcoords="offset points", ha="center", va="center", color="white", fontsize=8, annotation_clip=False,
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": RED if mark.kind == "fault" else INK, "edgecolor": "none"},
        )  # fmt: skip
