"""Every drill many times over on a cluster of its own: build/drills.json for programs, tables for people.

Run by ``make bench-drills``. Ports 5525 to 5529 must be free; what is made is removed again, also after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.analysis import percentile

from . import fleet
from .tools import BUILD, OWNER, ROOT, BenchError, as_owner, bin_dir, run

FIRST_PORT = 5525
PLAIN_PORT = 5529
PLAYBOOK = yaml.safe_load((ROOT / "playbooks/drill.yml").read_text())
DRILLS: list[str] = PLAYBOOK[-1]["vars"]["all_drills"]
REPORTS = BUILD / "drills"
START = "(start of ansible-playbook)"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- From results to figures ------------------------------------------------------------------------------------------


def spread(values: Iterable[float | None]) -> dict[str, float | None]:
    """Median and 95th percentile; of nothing, nothing."""
    known = [value for value in values if value is not None]
    if not known:
        return {"median": None, "p95": None}
    return {"median": round(statistics.median(known), 1), "p95": round(percentile(known, 0.95), 1)}


def bystanders_gap(result: Mapping[str, Any]) -> float:
    return max((result["read_gap_ms"][node] for node in result["bystanders"]), default=0.0)


def total(results: Iterable[Mapping[str, Any]], name: str) -> int | None:
    """A sum; null when one of them is not known."""
    values = [result[name] for result in results]
    return None if None in values else sum(values)


def figures(results: Sequence[Mapping[str, Any]], unwell: int) -> dict[str, Any]:
    """What all runs of a drill come to, those that ended badly as well; ``unwell`` are those that gave no result at all."""
    steps = dict.fromkeys(step["name"] for result in results for step in result["steps"])
    return {
        "runs": len(results),
        "unwell": unwell + sum(not result["healthy"] for result in results),
        "write_gap_ms": spread(result["write_gap_ms"] for result in results),
        "read_gap_ms": spread(map(bystanders_gap, results)),
        "to_first_write_ms": spread(result["to_first_write_ms"] for result in results),
        "to_redundancy_ms": spread(result["to_redundancy_ms"] for result in results),
        "acked": total(results, "acked"),
        "acked_lost": total(results, "acked_lost"),
        "in_doubt": total(results, "in_doubt"),
        "steps_ms": {
            name: spread(step["ms"] for result in results for step in result["steps"] if step["name"] == name)
            for name in steps
        },
        "command_to_first_write_ms": spread(map(command_to_first_write, results)),
        "gap_goes_to_ms": gap_by_task(results),
    }


def at(result: Mapping[str, Any], kind: str) -> float | None:
    return next((event["at_ms"] for event in result["events"] if event["kind"] == kind), None)


def command_to_first_write(result: Mapping[str, Any]) -> float | None:
    """From the first command of the drill to the write that ends the interruption; None where writes went on before it."""
    first, steps = at(result, "first_write"), result["steps"]
    return first - steps[0]["at_ms"] if first is not None and steps and first > steps[0]["at_ms"] else None


def gap_by_task(results: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Which tasks the writers waited for, and how long: medians, the longest first."""
    waited: dict[str, list[float]] = {}
    for result in results:
        begin, end = at(result, "last_write"), at(result, "first_write")
        if begin is None or end is None:
            continue
        for name, start, stop in task_times(result["steps"]):
            overlap = min(stop, end) - max(start, begin)
            if overlap > 0:
                waited.setdefault(name, []).append(overlap)
    medians = {name: round(statistics.median(values), 1) for name, values in waited.items()}
    return dict(sorted(medians.items(), key=lambda item: -item[1]))


def task_times(steps: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, float, float]]:
    for step in steps:
        start = step["at_ms"]
        for task in step["tasks"]:
            name = f"{step['name']}: {task['name']}"
            yield name, start, start + task["ms"]
            start += task["ms"]


# --- Running them -----------------------------------------------------------------------------------------------------


class DrillFleet(fleet.Fleet):
    """A cluster by site.yml on ports of its own; ``extra`` are variables of every run."""

    def __init__(self, extra: Mapping[str, Any]) -> None:
        super().__init__("benchdrills", 3, Path("/dev/null"), FIRST_PORT)
        self.extra = json.dumps({"pagila_load_source": "generated", **extra})

    def run(self, playbook: str, *more: str) -> tuple[float, str]:
        return self.play(playbook, "-e", self.extra, *more)

    def rebuild(self) -> None:
        self.destroy()
        self.run("site.yml")

    def drill(self, name: str, number: int) -> dict[str, Any] | None:
        """The result of one drill, None when it gave none; a drill that ended badly is followed by a new cluster."""
        folder = REPORTS / f"{number:02}"
        file = folder / f"{name}.json"
        words = ("-e", f"drill={name}", "-e", "confirm=yes", "-e", f"pg_drill_directory={folder}")
        well = False
        with suppress(BenchError):
            self.run("playbooks/drill.yml", *words)
            well = True
        result: dict[str, Any] | None = json.loads(file.read_text()) if file.exists() else None
        if not well:
            say(f"{name} ended badly: see {folder}; the cluster is rebuilt")
            self.rebuild()
        return {**result, "healthy": well} if result else None


def measure(drills: Sequence[str], runs: int, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Turn by turn, so that what else goes on in the machine hits all drills alike."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in drills}
    unwell = dict.fromkeys(drills, 0)
    with fleet.gone_afterwards(DrillFleet(extra)) as made:
        made.run("site.yml")
        for number in range(1, runs + 1):
            for name in drills:
                say(f"{name}, run {number} of {runs}")
                result = made.drill(name, number)
                if result:
                    results[name].append(result)
                else:
                    unwell[name] += 1
    return {name: figures(results[name], unwell[name]) for name in drills}


# --- What PostgreSQL itself needs -------------------------------------------------------------------------------------


@contextmanager
def plain_pair() -> Iterator[tuple[Path, Path]]:
    """Data directories of a bare primary and its standby, both running, with nothing of ours."""
    folder = Path(tempfile.mkdtemp(prefix="pgfleet-bench-", dir="/tmp"))
    if OWNER:
        shutil.chown(folder, OWNER)
    primary, standby = folder / "primary", folder / "standby"
    try:
        by_owner("initdb", "-D", primary, "-U", "postgres", "-N", "-A", "trust")
        serve(primary, PLAIN_PORT)
        by_owner(
            "pg_basebackup", "-D", standby, "-h", folder, "-p", PLAIN_PORT, "-U", "postgres", "-R", "-c", "fast", "-N"
        )
        serve(standby, PLAIN_PORT - 1)
        yield primary, standby
    finally:
        for data in (primary, standby):
            with suppress(BenchError):
                by_owner("pg_ctl", "stop", "-s", "-m", "immediate", "-D", data)
        shutil.rmtree(folder, ignore_errors=True)


def by_owner(program: str, *words: object) -> str:
    return run(*as_owner(bin_dir() / program, *map(str, words)), cwd=Path("/"))


def serve(data: Path, port: int) -> None:
    options = f"-p {port} -k {data.parent} -c listen_addresses="
    by_owner("pg_ctl", "start", "-s", "-w", "-D", data, "-o", options, "-l", data.with_suffix(".log"))


def postgres_alone(runs: int) -> dict[str, dict[str, float | None]]:
    """Milliseconds of a fast shutdown and of pg_promote() that waits, by psql, without anything around it."""
    stop, promote = [], []
    for _run in range(runs):
        with plain_pair() as (primary, standby):
            begin = time.monotonic()
            by_owner("pg_ctl", "stop", "-s", "-m", "fast", "-D", primary)
            stopped = time.monotonic()
            by_owner(
                "psql",
                "-XAtq",
                "-h",
                standby.parent,
                "-p",
                PLAIN_PORT - 1,
                "-U",
                "postgres",
                "-c",
                "SELECT pg_promote()",
            )
            stop.append((stopped - begin) * 1000)
            promote.append((time.monotonic() - stopped) * 1000)
    return {"fast_shutdown_ms": spread(stop), "pg_promote_ms": spread(promote)}


# --- The report -------------------------------------------------------------------------------------------------------


def cell(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def report(result: Mapping[str, Any]) -> None:
    columns = ("write_gap_ms", "read_gap_ms", "to_first_write_ms", "command_to_first_write_ms", "to_redundancy_ms")
    titles = ("write gap", "read gap", "first write", "after command", "redundant")
    print(f"median / p95, ms    {''.join(f'{title:>18}' for title in titles)}   lost  in doubt  runs  unwell")
    for name, found in result["drills"].items():
        cells = (f"{cell(found[column]['median'])} / {cell(found[column]['p95'])}" for column in columns)
        counts = f"{cell(found['acked_lost']):>7}{cell(found['in_doubt']):>10}{found['runs']:>6}{found['unwell']:>8}"
        print(f"{name:<20}{''.join(f'{text:>18}' for text in cells)}{counts}")
    for name, times in result["postgres"].items():
        print(f"{name:<20}{cell(times['median']) + ' / ' + cell(times['p95']):>18}   PostgreSQL alone")
    for name, found in result["drills"].items():
        print(f"\n{name}: where the writers' wait goes" if found["gap_goes_to_ms"] else "", end="")
        for task, wait in list(found["gap_goes_to_ms"].items())[:6]:
            print(f"\n{cell(wait):>8}  {task}", end="")
        for step, times in found["steps_ms"].items():
            print(f"\n{cell(times['median']):>8}  all of {step} (p95 {cell(times['p95'])})", end="")
    print()


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-drills")
    parser.add_argument("--runs", type=int, default=20, help="how often every drill runs (default 20)")
    parser.add_argument("--drills", nargs="+", choices=DRILLS, default=DRILLS, help="which ones")
    parser.add_argument("--synchronous", choices=("off", "on", "quorum"), default="off", help="pg_server_synchronous")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        result: dict[str, Any] = {
            "runs": options.runs,
            "synchronous": options.synchronous,
            "postgres": postgres_alone(options.runs),
            "drills": measure(options.drills, options.runs, {"pg_server_synchronous": options.synchronous}),
        }
    except BenchError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; what was made is removed")
        return 130
    report(result)
    drills = result.pop("drills")
    (ROOT / "build/drills.json").write_text(json.dumps({**drills, "_about": result}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
