"""Control sides: an ansible-core of a chosen release, on this machine or in a Debian of its own."""

from __future__ import annotations

import ensurepip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.pgfleet.cluster.tests.integration.fleet import ROOT, Fleet, Run

HERE = Path(__file__).parent
COLLECTIONS = ROOT / ".cache/ansible_collections"
JMESPATH = "jmespath>=1.0,<2"
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]


@dataclass(frozen=True)
class Control:
    """Where ansible-playbook runs, and where its files lie: a virtual environment and secrets."""

    place: Path
    entered_by: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    def command(self, program: str, *arguments: str) -> list[str]:
        """A program of the virtual environment, and how to start it from here."""
        settings = ("env", *self.settings) if self.settings else ()
        return [*self.entered_by, *settings, f"{self.place}/bin/{program}", *arguments]

    def versions(self) -> tuple[str, str]:
        """The numbers of ansible-core and of Python."""
        ask = "import ansible.release as r, platform as p; print(r.__version__, p.python_version())"
        core, python = run(*self.command("python", "-c", ask)).split()
        return core, python

    def read(self, file: str) -> str:
        return run(*self.entered_by, "cat", file)


class SmallFleet(Fleet):
    """A primary and a standby, deployed by a control side of our choice."""

    def __init__(self, folder: Path, name: str, ports: dict[str, int], control: Control) -> None:
        super().__init__(folder, name, ports)
        self.control = control

    def all_hosts(self) -> None:
        self.hosts({"primary": {}}, {"node1": {}})

    @property
    def given(self) -> dict[str, str]:
        return {**super().given, "pg_server_secrets_directory": f"{self.control.place}/secrets"}

    @property
    def environment(self) -> dict[str, str]:
        return {name: value for name, value in super().environment.items() if name != "PYTHONPATH"}

    def command(self, playbook: str, *arguments: str, **variables: Any) -> list[str]:
        _program, *words = super().command(playbook, *arguments, **variables)
        return self.control.command("ansible-playbook", *words)

    @staticmethod
    def warned(run: Run) -> list[str]:
        """What Ansible warns of, deprecations among it, without the word of its kind."""
        return re.findall(r"^\[[A-Z ]*WARNING\]: (?:Collection )?(.*?)(?:\.\d+)?$", run.output, re.MULTILINE)

    def stop(self, node: str) -> None:
        """Stop a server behind the playbooks' back, as a crash does."""
        entered_by, cluster = self.control.entered_by or AS_ROOT, f"{self.name}_{node}"
        settings = run(*entered_by, "sh", "-c", f"ls -d /etc/postgresql/*/{cluster}").strip()
        run(*entered_by, "pg_ctlcluster", Path(settings).parent.name, cluster, "stop", "--mode=immediate")

    def must(self, playbook: str, *arguments: str) -> Run:
        """A run of a playbook that must succeed."""
        run = self.play(playbook, *arguments)
        assert run.returncode == 0, run.output
        return run

    def status(self) -> dict[str, Any]:
        file = f"{self.control.place}/status.json"
        self.must("playbooks/status.yml", "-e", "output=json", "-e", f"output_file={file}")
        document: dict[str, Any] = json.loads(self.control.read(file))
        return document


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command], check=False, env={**os.environ, **environment}, cwd=ROOT,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def pip_wheel() -> Path:
    """pip, as every Python with ensurepip carries it."""
    folders = (Path(ensurepip.__file__).with_name("_bundled"), Path("/usr/share/python-wheels"))
    return next(wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl")))


def pip(python: Path, *arguments: str | Path) -> None:
    quiet = ("-qq", "--no-input", "--disable-pip-version-check")
    run(python, "-m", "pip", *arguments, *quiet, PYTHONPATH=str(pip_wheel()))


def control_here(folder: Path, core: str, *settings: str) -> Control:
    """A release of ansible-core on this machine's Python."""
    place = folder / "control"
    run(sys.executable, "-m", "venv", "--without-pip", place)
    pip(place / "bin/python", "install", core, JMESPATH)
    return Control(place, settings=settings)


@contextmanager
def control_in_a_room(folder: Path, core: str, python: str) -> Iterator[Control]:
    """A release of ansible-core on the Python of Debian 13. Tree and packages come from outside of the room, which has no network."""
    wheels, place = folder / "wheels", Path("/opt/control")
    chosen = ("--python-version", python, "--only-binary=:all:")
    pip(Path(sys.executable), "download", "-d", wheels, *chosen, core, JMESPATH, "pip")
    with room(tree(folder), [ROOT, folder, *collections()]) as entered_by:
        run(*entered_by, "python3", "-m", "venv", "--without-pip", place)
        run(
            *entered_by, "env", f"PYTHONPATH={min(wheels.glob('pip-*.whl'))}", place / "bin/python", "-m", "pip",
            "install", "-qq", "--no-index", "--find-links", wheels, core, JMESPATH,
        )  # fmt: skip
        yield Control(place, tuple(entered_by), (f"ANSIBLE_CONFIG={ROOT}/ansible.cfg", "ANSIBLE_NOCOLOR=1"))


def collections() -> list[Path]:
    """Those in .cache, wherever they lie."""
    return sorted({path.resolve() for path in COLLECTIONS.glob("*/*")} - {ROOT})


def tree(folder: Path) -> Path:
    """The tree of Debian 13 that system containers share."""
    file = folder / "tree"
    play = Path(sys.executable).with_name("ansible-playbook")
    run(play, "-i", ROOT / "molecule/containers/inventory", HERE / "tree.yml", "-e", f"tree_file={file}",
        ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS.parent))  # fmt: skip
    return Path(file.read_text())


@contextmanager
def room(root: Path, shared: list[Path]) -> Iterator[list[str]]:
    """How to run a command in a machine made of a tree. It ends with this process, however that ends."""
    namespaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--propagation", "private"]
    with subprocess.Popen(
        [*AS_ROOT, "unshare", *namespaces, "sh", HERE / "room.sh", root, *shared],
        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout
        pid = process.stdout.readline().strip()
        assert pid, "the room was not made; its words are above"
        clean = ["env", "--ignore-environment", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"]
        yield [*AS_ROOT, "nsenter", f"--target={pid}", "--all", "--root", "--wd", *clean]
