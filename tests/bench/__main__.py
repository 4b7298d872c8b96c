"""Measure everything in one run on one machine: a table for people, build/bench.json for programs.

Run by ``make bench``. Ports 5461 to 5474 must be free; what is made is removed again, also after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import containers, fleet, modules
from .tools import BUILD, BenchError, median, ratio

PARTS = ("site", "standbys", "fleets", "modules", "fresh", "containers")
AIMS = {
    "site_over_script": "at most 1.8",
    "noop_over_first": "at most 0.4",
    "basebackup_over_plain": "at most 1.1",
    "basebackup_verified_over_plain": "at most 1.5",
    "slots16_speedup": "at least 8",
    "seven_fleets_over_one": "at most 5",
    "seven_fleets_noop_over_one": "at most 4",
    "containers_ready_s": "at most 10",
    "containers_site_s": "",
    "containers_noop_s": "",
}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def pagila_data() -> Path:
    given = os.environ.get("PGFLEET_PAGILA_DATA", "")
    if not Path(given).is_file():
        raise BenchError(f"There is no Pagila data at '{given}'; set PGFLEET_PAGILA_DATA to a copy of pagila-data.sql.")
    return Path(given)


def measure_site(data: Path, rounds: int) -> dict[str, Any]:
    """Bare script and site.yml by turns, so that both have the same noise."""
    say("warming up: packages, locale, page cache")
    fleet.site(3, data)
    script, first, second, tasks = [], [], [], []
    for turn in range(rounds):
        say(f"bare script and site.yml, round {turn + 1} of {rounds}")
        if turn % 2:
            script.append(fleet.bare(data))
        one, two, by_task = fleet.site(3, data)
        first.append(one)
        second.append(two)
        tasks.append(by_task)
        if not turn % 2:
            script.append(fleet.bare(data))
    typical = tasks[sorted(range(rounds), key=first.__getitem__)[rounds // 2]]
    return {
        "site_over_script": ratio(first, script),
        "noop_over_first": ratio(second, first),
        "standbys": {"3": median(first)},
        "seconds": {"script": script, "site_first": first, "site_second": second},
        "tasks": dict(sorted(typical.items(), key=lambda item: -item[1])),
    }


def measure_standbys(data: Path, rounds: int, known: dict[str, float]) -> dict[str, Any]:
    result = dict(known)
    for number in (1, 3, 7):
        if str(number) not in known:
            say(f"site.yml with {number} standbys")
            result[str(number)] = median(fleet.site(number, data)[0] for _turn in range(rounds))
    return {"standbys": dict(sorted(result.items()))}


def measure_fleets(rounds: int) -> dict[str, Any]:
    """One fleet of two nodes and seven in one inventory, by turns."""
    times: dict[str, list[float]] = {
        f"{number}_{run}": [] for number in ("one", "seven") for run in ("first", "second")
    }
    for turn in range(rounds):
        say(f"one fleet of two nodes, and seven, round {turn + 1} of {rounds}")
        for number, word in ((1, "one"), (7, "seven")):
            first, second = fleet.fleets(number)
            times[f"{word}_first"].append(first)
            times[f"{word}_second"].append(second)
    return {
        "seven_fleets_over_one": ratio(times["seven_first"], times["one_first"]),
        "seven_fleets_noop_over_one": ratio(times["seven_second"], times["one_second"]),
        "seconds": {f"fleets_{name}": values for name, values in times.items()},
    }


def measure_containers() -> dict[str, Any]:
    say("four system containers, and the cluster on them")
    return containers.measure()


def measure_modules(rounds: int) -> dict[str, Any]:
    say("basebackup and replication_slot on a server with 1 GB")
    with modules.source() as made:
        clones = modules.basebackup(made, rounds)
        slots = modules.slots(made, rounds)
    return {
        "basebackup_over_plain": ratio(clones["module"], clones["plain"]),
        "basebackup_verified_over_plain": ratio(clones["module_verified"], clones["plain"]),
        "slots16_speedup": ratio(slots["tasks"], slots["call"]),
        "seconds": {**{f"basebackup_{name}": values for name, values in clones.items()},
                    **{f"slots16_{name}": values for name, values in slots.items()}},
    }  # fmt: skip


def measure_fresh(data: Path, rounds: int) -> dict[str, Any]:
    say("make cluster in a fresh clone")
    seconds = [fleet.from_fresh_clone(data) for _turn in range(rounds)]
    return {"cluster_from_fresh_s": median(seconds), "seconds": {"cluster_from_fresh": seconds}}


def measure(parts: list[str], rounds: int) -> dict[str, Any]:
    result: dict[str, Any] = {"rounds": rounds, "seconds": {}}

    def add(found: dict[str, Any]) -> None:
        result["seconds"].update(found.pop("seconds", {}))
        result.update(found)

    if "site" in parts:
        add(measure_site(pagila_data(), rounds))
    if "standbys" in parts:
        add(measure_standbys(pagila_data(), rounds, result.get("standbys", {})))
    if "fleets" in parts:
        add(measure_fleets(rounds))
    if "modules" in parts:
        add(measure_modules(rounds))
    if "fresh" in parts:
        add(measure_fresh(pagila_data(), rounds))
    if "containers" in parts:
        add(measure_containers())
    return result


def report(result: dict[str, Any]) -> None:
    print("measure                            value  aim")
    for name, aim in AIMS.items():
        if name in result:
            print(f"{name:<32} {result[name]:>7.2f}  {aim}")
    for number, seconds in result.get("standbys", {}).items():
        print(f"{'seconds with ' + number + ' standbys':<32} {seconds:>7.1f}")
    if "cluster_from_fresh_s" in result:
        print(f"{'cluster_from_fresh_s':<32} {result['cluster_from_fresh_s']:>7.1f}")
    for name, values in result["seconds"].items():
        print(f"{name:<32} {median(values):>7.2f}  s, of {', '.join(f'{value:.2f}' for value in values)}")
    if tasks := result.get("tasks"):
        print(f"\nwhere a first run goes ({sum(tasks.values()):.1f} s in {len(tasks)} tasks)")
        for name, seconds in list(tasks.items())[:15]:
            print(f"{seconds:>7.2f}  {name}")


def check_root() -> None:
    if os.geteuid() and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode:
        raise BenchError("The measurements need root, or a user whose sudo asks for no password.")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description="see BENCH_ARGS in TESTING.md")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default 3)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="measure less")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        check_root()
        result = measure(options.only, options.rounds)
    except BenchError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; what was made is removed")
        return 130
    report(result)
    BUILD.parent.mkdir(exist_ok=True)
    (BUILD.parent / "bench.json").write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
