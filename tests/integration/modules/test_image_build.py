"""roles/kvm_image/files/build.sh, killed: nothing goes on, nothing stays mounted, the next build starts over."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

BUILD = Path(__file__).resolve().parents[3] / "roles/kvm_image/files/build.sh"
FOREVER = """
mkdir "$WORK/root"
mount -t tmpfs tmpfs "$WORK/root"
touch "$WORK/root/seen-by-the-build-alone" "$WORK/mounted"
sleep 600 &
wait
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="images are built by root")


@pytest.fixture
def build(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A build that has mounted something and does not come to its end."""
    process = start(tmp_path, FOREVER)
    until((tmp_path / ".building-image/mounted").exists)
    yield process
    process.kill()
    process.wait()


def start(folder: Path, script: str) -> subprocess.Popen[bytes]:
    """A build by build.sh, whose source is the script."""
    shutil.copy(BUILD, folder)
    (folder / "source").mkdir(exist_ok=True)
    (folder / "source/make.sh").write_text(script)
    given = {"SOURCE": "source", "TARGET": str(folder / "image"), "NEEDED_MB": "1", "CMDLINE": ""}
    return subprocess.Popen(["sh", str(folder / "build.sh")], env={**os.environ, **given})


def processes_of(folder: Path) -> list[str]:
    done = subprocess.run(["pgrep", "-af", str(folder / "source")], check=False, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_a_killed_build_leaves_neither_processes_nor_mounts(build: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert processes_of(tmp_path)
    assert not (tmp_path / ".building-image/root/seen-by-the-build-alone").exists()
    build.kill()
    build.wait()
    until(lambda: not processes_of(tmp_path))
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
    assert not (tmp_path / "image").exists()


def test_the_next_build_removes_what_is_left_and_nothing_that_is_mounted_there(tmp_path: Path) -> None:
    left = tmp_path / ".building-old/root"
    left.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", left], check=True)
    try:
        (left / "file").touch()
        assert start(tmp_path, "exit 3").wait(timeout=20) != 0
        assert (left / "file").exists()
    finally:
        subprocess.run(["umount", left], check=True)
    assert start(tmp_path, "exit 3").wait(timeout=20) == 3
    assert not (tmp_path / ".building-old").exists()
