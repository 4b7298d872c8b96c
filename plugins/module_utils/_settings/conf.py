# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The settings in a server's configuration files, as the server would read them. Only reads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .._host.machine import read_text
from .._postgres.recovery import AUTO_CONF
from .._postgres.settings import settings_in_order

_DEEPEST = 10


@dataclass
class ServerConf:
    """``values`` by the setting's name, ``files`` the file that each comes from; ``directories`` those that are included.

    ``instead`` has texts that count in place of files, whether these are there or not.
    """

    values: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    instead: Mapping[str, str] = field(default_factory=dict)

    def by_alter_system(self, name: str) -> bool:
        return os.path.basename(self.files.get(name, "")) == AUTO_CONF

    def read(self, path: str, depth: int = 0) -> None:
        """Take in a file and what it includes; of several lines for one setting the last counts."""
        text = self.instead[path] if path in self.instead else read_text(path)
        for name, value in settings_in_order(text):
            if name not in ("include", "include_if_exists", "include_dir"):
                self.values[name], self.files[name] = value, path
                continue
            for included in self._included(name, os.path.join(os.path.dirname(path), value)):
                if depth < _DEEPEST:
                    self.read(included, depth + 1)

    def _included(self, name: str, path: str) -> Iterator[str]:
        if name != "include_dir":
            yield path
            return
        self.directories.add(os.path.realpath(path))
        names = {os.path.basename(each) for each in self.instead if os.path.dirname(each) == os.path.normpath(path)}
        names.update(os.listdir(path) if os.path.isdir(path) else ())
        yield from (
            os.path.join(os.path.normpath(path), each)
            for each in sorted(names)
            if each.endswith(".conf") and not each.startswith(".")
        )


def read_server_conf(config_directory: str, instead: Mapping[str, str] | None = None) -> ServerConf:
    """The settings of a cluster in Debian's layout: postgresql.conf with what it includes, then those of ALTER SYSTEM."""
    conf = ServerConf(instead=instead or {})
    conf.read(os.path.join(config_directory, "postgresql.conf"))
    if "data_directory" in conf.values:
        conf.read(os.path.join(conf.values["data_directory"], AUTO_CONF))
    return conf
