"""Run the tests and checks, the named ones, those of ``make test`` (``test``) or those of .ci/run (``ci``), and end with a table.

Every step runs, whatever failed before it. The steps and what they prove are in TESTING.md.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib.util
import multiprocessing
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn, TextIO

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
VENV = ROOT / ".venv/bin"
COLLECTIONS = ROOT / ".cache"
NAME = ("pgfleet", "cluster")
LIMIT_SECONDS = int(os.environ.get("PGFLEET_LIMIT_SECONDS", "2700"))  # of one command
#: .ci/run has 90 minutes: nothing that can wait is started when it may end after the first, and a command that hangs is interrupted before the second.
PLANNED_SECONDS, LAST_SECONDS = 80 * 60, 85 * 60
_PYTEST_SUMMARY = re.compile(r"^=*\s*((?:\d+ \w+,? ?)+) in [\d.]+s")
_COUNTED = {"passed": "passed", "xpassed": "passed", "failed": "failed", "error": "failed", "errors": "failed",
            "skipped": "skipped", "xfailed": "skipped"}  # fmt: skip


@dataclass
class Step:
    """What a step has come to so far."""

    name: str
    seconds: float = 0
    failures: list[str] = field(default_factory=list)
    left_out: str = ""
    counts: dict[str, int] = field(default_factory=lambda: {"passed": 0, "failed": 0, "skipped": 0})

    def run(self, *command: str | Path, cwd: Path = ROOT, **environment: str) -> bool:
        """Run a command, show and keep its output; a failure is remembered, not raised."""
        words = [str(word) for word in command]
        shown = shlex.join([Path(words[0]).name, *words[1:]])
        code = self._stream(shown, words, cwd, {**os.environ, **BASE_ENVIRONMENT, **environment})
        if code:
            self.failures.append(f"{shown} ended with {code}")
        return code == 0

    def _stream(self, shown: str, words: list[str], cwd: Path, environment: dict[str, str]) -> int:
        log = log_of(self.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            words, cwd=cwd, env=environment, text=True, errors="replace", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout
        with log.open("a", buffering=1) as kept, limited(process, seconds_of_a_command(self.name, passed())):
            try:
                self._show([f"$ {shown}\n"], kept)
                self._show(process.stdout, kept)
            except KeyboardInterrupt:
                os.killpg(process.pid, signal.SIGINT)
                self._show(process.stdout, kept)
                process.wait()
                raise
        return process.wait()

    def _show(self, output: Iterable[str], kept: TextIO) -> None:
        for line in output:
            print(line, end="", flush=True)
            kept.write(line)
            self._count(line)

    def _count(self, line: str) -> None:
        if found := _PYTEST_SUMMARY.match(line):
            for number, word in re.findall(r"(\d+) (\w+)", found[1]):
                if word in _COUNTED:
                    self.counts[_COUNTED[word]] += int(number)

    def finish(self, seconds: float) -> None:
        """A step without pytest, or one that failed outside of it, counts as one test."""
        self.seconds = seconds
        if self.failures:
            self.counts["failed"] = self.counts["failed"] or 1
        elif not any(self.counts.values()):
            self.counts["passed"] = 1


def log_of(step: str) -> Path:
    return BUILD / "logs" / f"{step}.log"


@contextmanager
def limited(process: subprocess.Popen[str], seconds: int) -> Iterator[None]:
    """Interrupt the process and its children when its time is up, as Ctrl-C does, and kill them three minutes later."""
    ways = [signal.SIGINT, signal.SIGKILL]

    def end(*_signal: object) -> None:
        os.killpg(process.pid, ways.pop(0))
        if ways:
            signal.alarm(180)

    signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def copy_of_the_tree(target: Path) -> Path:
    """The files that git knows or would know, in a directory of the collection's name."""
    listed = subprocess.run(
        [*GIT, "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    shutil.rmtree(target, ignore_errors=True)
    here = target.joinpath("ansible_collections", *NAME)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists() or (ROOT / name).is_symlink():
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, here / name, follow_symlinks=False)
    return here


# --- Time -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Usual:
    """Seconds that a step takes on two cores without KVM: what always runs, and what takes turns."""

    always: int
    turns: int = 0


#: In the order of .ci/run.
USUAL = {
    "galaxy": Usual(30),
    "sanity": Usual(100),
    "molecule": Usual(65),
    "containers": Usual(315),
    "ends": Usual(10, 150),
    "vms": Usual(300),  # what is left of it when the steps beside it have ended
    "modules": Usual(420),
    "playbooks": Usual(1900, 450),
}


def passed() -> float | None:
    """Seconds since .ci/run began; None where nobody waits for an end."""
    began = os.environ.get("PGFLEET_BEGAN")
    return time.time() - int(began) if began else None


def still_to_come(step: str) -> int:
    """Seconds of what always runs after a step."""
    names = list(USUAL)
    return sum(USUAL[name].always for name in names[names.index(step) + 1 :]) if step in USUAL else 0


def why_turns_are_left_out(step: str, seconds: float | None) -> str:
    """Why a step runs without its tests that take turns, so many seconds after the beginning; nothing where it runs with them."""
    usual = USUAL.get(step, Usual(0))
    if seconds is None or not usual.turns:
        return ""
    left = PLANNED_SECONDS - seconds - usual.always - still_to_come(step)
    if left >= usual.turns:
        return ""
    return f"its tests that take turns were left out: they take {usual.turns} s, and {max(0, left):.0f} s are left for them; make test-all runs them"


def seconds_of_a_command(step: str, seconds: float | None) -> int:
    """After how many seconds a command of a step is interrupted."""
    if seconds is None:
        return LIMIT_SECONDS
    return max(60, min(LIMIT_SECONDS, int(LAST_SECONDS - seconds - still_to_come(step))))


# --- The steps --------------------------------------------------------------------------------------------------------


#: Each has servers of its own, and they mostly wait.
TWO_FILES_AT_A_TIME = ("--numprocesses=2", "--dist=loadfile")
#: Without it, files with many tests come first; tests/integration/conftest.py knows which ones take long.
AS_COLLECTED = "--no-loadscope-reorder"


def pytest_step(*words: str) -> Callable[[Step], None]:
    def run(step: Step) -> None:
        step.left_out = why_turns_are_left_out(step.name, passed())
        turns = "none" if step.left_out else os.environ.get("PGFLEET_TURNS", "")
        given = shlex.split(os.environ.get("PYTEST_ARGS", ""))
        step.run(VENV / "pytest", "--durations=6", *given, *words, PGFLEET_TURNS=turns)

    return run


def molecule(step: Step) -> None:
    scenario = os.environ.get("MOLECULE_SCENARIO", "local")
    step.run(VENV / "molecule", "test", "-s", scenario, MOLECULE_GLOB="molecule/*/molecule.yml")


def vms(step: Step) -> None:
    """Both scenarios on virtual machines."""
    scenarios = os.environ.get("MOLECULE_SCENARIO", "kvm_vm default").split()
    on_machines(step, "default", scenarios, **mitogen())


def containers(step: Step) -> None:
    """The scenario on system containers."""
    on_machines(step, "containers", ["containers"])


def on_machines(step: Step, inventory: str, scenarios: list[str], **environment: str) -> None:
    """Scenarios with machines of their own, in a network namespace of their own where PGFLEET_NETNS=1.

    Packages and image come from outside of it. What an earlier run left, killed or not, is removed first and last.
    """
    namespace: list[str | Path] = []
    if os.environ.get("PGFLEET_NETNS") == "1":
        namespace = [ROOT / "tools/netns.sh", "run", f"pgfleet-{inventory[:7]}"]  # at most 15 letters
    with only_one("images"):
        made = step.run(
            VENV / "ansible-playbook", "-i", ROOT / f"molecule/{inventory}/inventory", "playbooks/image.yml"
        )
    if not made:
        return
    settings = {"MOLECULE_GLOB": "molecule/*/molecule.yml", **environment}
    for scenario in scenarios:
        words = [*namespace, VENV / "molecule"]
        try:
            step.run(*words, "test", "-s", scenario, cwd=ROOT, **settings)
        except KeyboardInterrupt:
            if not namespace:
                step.run(*words, "destroy", "-s", scenario, cwd=ROOT, **settings)
            raise


@contextmanager
def only_one(what: str) -> Iterator[None]:
    """Wait until no other step does the same."""
    file = BUILD / f"{what}.lock"
    file.parent.mkdir(exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def sanity(step: Step) -> None:
    stand_in_for_get_pip()
    here = copy_of_the_tree(BUILD / "sanity")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    # The content root is named because a git checkout around it, which ignores build/, would hide every file.
    step.run(
        VENV / "ansible-test", "sanity", "--python", version, "--color", "no",
        cwd=here, ANSIBLE_TEST_CONTENT_ROOT=str(here),
    )  # fmt: skip


def stand_in_for_get_pip() -> None:
    """ansible-test downloads a script that installs pip; where it cannot, Python's own pip serves."""
    package = importlib.util.find_spec("ansible_test")
    assert package
    assert package.origin
    source = Path(package.origin).with_name("_internal").joinpath("python_requirements.py").read_text()
    for version in set(re.findall(r"pip='([\d.]+)'", source)):
        script = Path.home() / f".ansible/test/cache/get_pip_{version.replace('.', '_')}.py"
        if not script.exists():
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_text("import ensurepip\n\nensurepip.bootstrap(upgrade=True)\n")


def lint(step: Step) -> None:
    step.run(VENV / "ansible-lint", "--offline", "--nocolor", "--profile", "production", "--strict")
    step.run(sys.executable, ROOT / "tools/words.py")
    step.run(VENV / "python", ROOT / "tools/parameters.py", "--check")


def style(step: Step) -> None:
    step.run(VENV / "ruff", "check", ".")
    step.run(VENV / "ruff", "format", "--check", ".")
    step.run(VENV / "yamllint", "--strict", ".")


def docs(step: Step) -> None:
    step.run(
        VENV / "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--skip-rstcheck",
        "--validate-collection-refs", "self", ".",
    )  # fmt: skip


def types(step: Step) -> None:
    mypy: list[str | Path] = [VENV / "mypy", "--config-file", ROOT / "pyproject.toml"]
    step.run(*mypy, "-p", ".".join(("ansible_collections", *NAME, "plugins")), cwd=COLLECTIONS)
    step.run(*mypy, Path("ansible_collections", *NAME, "tests"), cwd=COLLECTIONS)
    step.run(*mypy, "tools/check.py", "tools/words.py", "tools/parameters.py")


def galaxy(step: Step) -> None:
    """Build from the files of git, install into an empty path, use it from there."""
    work = BUILD / "galaxy"
    installed = work / "installed"
    shutil.rmtree(work, ignore_errors=True)
    here = copy_of_the_tree(work / "source")
    command: list[str | Path] = [VENV / "ansible-galaxy", "collection"]
    if not step.run(*command, "build", here, "--output-path", work):
        return
    archive = next(work.glob("*.tar.gz"))
    step.run(*command, "install", archive, "-p", installed, "--no-deps", ANSIBLE_COLLECTIONS_PATH=str(installed))
    for name in ("ansible", "community"):
        (installed / "ansible_collections" / name).symlink_to(COLLECTIONS / "ansible_collections" / name)
    no_settings = work / "empty.cfg"
    no_settings.touch()
    for question in ("--syntax-check", "--list-tasks"):
        step.run(
            VENV / "ansible-playbook", "-i", ROOT / "inventory/local", ".".join((*NAME, "site")), question,
            cwd=work, ANSIBLE_CONFIG=str(no_settings), ANSIBLE_COLLECTIONS_PATH=str(installed),
        )  # fmt: skip


def changelog(step: Step) -> None:
    step.run(VENV / "antsibull-changelog", "lint")


# Steps that keep two cores busy.
ON_BOTH_CORES: dict[str, Callable[[Step], None]] = {
    "modules": pytest_step("tests/integration/modules", *TWO_FILES_AT_A_TIME),
    "playbooks": pytest_step(
        "tests/integration/site", "tests/integration/operations", AS_COLLECTED, *TWO_FILES_AT_A_TIME
    ),
}
STEPS: dict[str, Callable[[Step], None]] = {
    "unit": pytest_step("tests/unit"),
    "style": style,
    "types": types,
    "lint": lint,
    "docs": docs,
    "changelog": changelog,
    "galaxy": galaxy,
    "sanity": sanity,
    **ON_BOTH_CORES,
    "molecule": molecule,
}
# Steps that run only when they are named.
NAMED_STEPS: dict[str, Callable[[Step], None]] = {
    "site": pytest_step("tests/integration/site", AS_COLLECTED, *TWO_FILES_AT_A_TIME),
    "operations": pytest_step("tests/integration/operations", AS_COLLECTED, *TWO_FILES_AT_A_TIME),
    "ends": pytest_step("tests/integration/ends"),
    "containers": containers,
    "vms": vms,
}
#: Emulated machines take one core and much time, and most steps take the other one: in .ci/run, this step runs beside those that stand before it.
BESIDE = "vms"
GROUPS = {
    "test": [*STEPS],
    "ci": [*(name for name in STEPS if name not in ON_BOTH_CORES), "containers", "ends", BESIDE, *ON_BOTH_CORES],
}


def mitogen() -> dict[str, str]:
    """Makes tasks on emulated machines cheap, where it is installed."""
    package = importlib.util.find_spec("ansible_mitogen")
    if os.environ.get("PGFLEET_MITOGEN") == "0" or not (package and package.origin):
        return {}
    strategies = Path(package.origin).with_name("plugins") / "strategy"
    return {
        "ANSIBLE_STRATEGY": "mitogen_linear",
        "ANSIBLE_STRATEGY_PLUGINS": str(strategies),
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
    }


GIT = ("git", "-c", "safe.directory=*")
BASE_ENVIRONMENT = {
    "PATH": f"{VENV}{os.pathsep}{os.environ['PATH']}",
    "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
    "NO_COLOR": "1",
    "PYTHONUNBUFFERED": "1",
}


# --- The report -------------------------------------------------------------------------------------------------------


def counts_text(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {word}" for word, number in counts.items() if number or word == "passed")


def report(steps: list[Step], seconds: float) -> None:
    print("\nstep          seconds  result  counts")
    for step in steps:
        result = "FAILED" if step.failures else "ok"
        print(f"{step.name:<12} {step.seconds:>8.1f}  {result:<6}  {counts_text(step.counts)}")
    for step in steps:
        for failure in step.failures:
            print(f"{step.name}: {failure} (build/logs/{step.name}.log)")
    for step in steps:
        if step.left_out:
            print(f"{step.name}: {step.left_out}")
    total = {word: sum(step.counts[word] for step in steps) for word in ("passed", "failed", "skipped")}
    print(
        f"\n{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped in {seconds:.0f}s",
        flush=True,
    )


# --- One after the other, and one beside the others -------------------------------------------------------------------


def run_step(name: str) -> Step:
    step = Step(name)
    log_of(name).unlink(missing_ok=True)
    print(f"\n=== {name}", flush=True)
    start = time.monotonic()
    try:
        {**STEPS, **NAMED_STEPS}[name](step)
    except Exception as error:
        step.failures.append(f"{type(error).__name__}: {error}")
    step.finish(time.monotonic() - start)
    return step


def run_steps(names: list[str], beside: str = "") -> list[Step]:
    """All steps, one after the other; the one beside them begins with the first and has ended where it stands among them."""
    if beside not in names:
        return [run_step(name) for name in names]
    with begun(beside) as end:
        return [end() if name == beside else run_step(name) for name in names]


@contextmanager
def begun(name: str) -> Iterator[Callable[[], Step]]:
    """Begin a step in a process of its own. The function waits for its end, and shows only then what it has said.

    The process ends when this one is interrupted or killed. Ctrl-C would reach both, and a second signal would disturb its cleaning up; so it has
    a process group of its own.
    """
    fork = multiprocessing.get_context("fork")
    answers, answer = fork.Pipe(duplex=False)
    process = fork.Process(target=run_unseen, args=(name, answer))
    print(f"\n=== {name} begins; its output follows when it has ended (build/logs/{name}.log)", flush=True)
    process.start()
    answer.close()
    try:
        yield lambda: ended(name, answers)
    except BaseException:
        process.terminate()
        raise
    finally:
        process.join()


PR_SET_PDEATHSIG = 1  # linux/prctl.h


def run_unseen(name: str, answer: Connection) -> None:
    signal.signal(signal.SIGTERM, interrupt)
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    with open(os.devnull, "w") as sys.stdout:
        try:
            answer.send(run_step(name))
        except KeyboardInterrupt:
            sys.exit(130)


def ended(name: str, answers: Connection) -> Step:
    """What a step has come to that was begun before; one whose process ended without a word has failed."""
    try:
        step: Step = answers.recv()
    except EOFError:
        step = Step(name, failures=["its process ended before it had done everything"])
        step.finish(0)
    print(f"\n=== {name}", flush=True)
    if log_of(name).exists():
        print(log_of(name).read_text(errors="replace"), end="", flush=True)
    return step


def interrupt(*_signal: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    words = sys.argv[1:] or ["test"]
    names = [name for word in words for name in GROUPS.get(word, [word])]
    if unknown := [name for name in names if name not in {**STEPS, **NAMED_STEPS}]:
        known = ", ".join((*STEPS, *NAMED_STEPS, *GROUPS))
        print(f"There is no step {', '.join(unknown)}; there are {known}.", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    if "ci" in words:
        os.environ["PGFLEET_NETNS"] = "1"  # machines and containers have the same addresses
    start = time.monotonic()
    try:
        steps = run_steps(names, BESIDE if "ci" in words else "")
    except KeyboardInterrupt:
        return 130
    report(steps, time.monotonic() - start)
    return 1 if any(step.failures for step in steps) else 0


if __name__ == "__main__":
    sys.exit(main())
