"""Modules as they run on a node: without Ansible, by the node's own Python."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import ansible

ROOT = Path(__file__).resolve().parents[2]


def node_python_path(folder: Path) -> Path:
    """Ansible's module_utils and this collection, where the nodes' Python and the servers' owner can read them."""
    path = folder / "python"
    core = Path(ansible.__file__).parent
    for part in ("module_utils", "_internal"):
        if (core / part).exists():
            shutil.copytree(core / part, path / "ansible" / part)
    shutil.copy(core / "release.py", path / "ansible")
    (path / "ansible/__init__.py").write_text("from ansible.release import __author__, __version__\n")
    here = path / "ansible_collections/pgfleet/cluster/plugins"
    shutil.copytree(ROOT / "plugins", here, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chmod", "-R", "a+rX", str(path)], check=True)
    return path
