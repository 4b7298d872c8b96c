"""Compile once what Ansible's modules import out of their archive, for every playbook that the tests run: this folder is on their PYTHONPATH.

Ansible sends a module as an archive of sources, and each of its tasks on each node compiles them all; that is a good part of a run on loopback.
What is compiled is kept by a hash of the source, for each user in a folder that nobody else can write to.
"""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import os
import sys
import tempfile
import zipimport
from collections.abc import Callable
from types import CodeType
from typing import Any

_archive: Any = zipimport
_compile: Callable[[str, bytes], CodeType] = _archive._compile_source


def _folder() -> str:
    path = f"{tempfile.gettempdir()}/pgfleettest-bytecode-{sys.implementation.cache_tag}-{os.geteuid()}"
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    found = os.lstat(path)
    if found.st_uid != os.geteuid() or found.st_mode & 0o170077 != 0o040000:
        raise PermissionError(path)
    return path


def _kept(pathname: str, source: bytes) -> CodeType:
    try:
        file = f"{_folder()}/{importlib.util.source_hash(source).hex()}"
    except OSError:
        return _compile(pathname, source)
    try:
        with open(file, "rb") as kept:
            code: CodeType = marshal.load(kept)
            return code
    except (OSError, EOFError, ValueError, TypeError):
        code = _compile(pathname, source)
    with contextlib.suppress(OSError), open(f"{file}.{os.getpid()}", "wb") as new:
        marshal.dump(code, new)
        new.flush()
        os.replace(new.name, file)
    return code


_archive._compile_source = _kept
