"""Which options belong to which provider."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import repository_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.options import repository_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput

EMPTY = dict.fromkeys(repository_spec())
BACKREST: dict[str, Any] = {
    **EMPTY,
    "provider": "pgbackrest",
    "stanza": "shop",
    "config_file": "/etc/pgbackrest/it's.conf",
}
PLAIN: dict[str, Any] = {**EMPTY, "provider": "plain", "repository": "/srv/100% ours/"}


@pytest.mark.parametrize(
    ("params", "command"),
    [
        (BACKREST, """pgbackrest '--config=/etc/pgbackrest/it'"'"'s.conf' --stanza=shop archive-get %f "%p\""""),
        (PLAIN, """test -f '/srv/100%% ours/archive'/%f && cp '/srv/100%% ours/archive'/%f "%p\""""),
    ],
    ids=["pgbackrest", "plain"],
)
def test_restore_command(params: dict[str, Any], command: str) -> None:
    assert repository_of(params).restore_command() == command


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({**BACKREST, "stanza": None}, "needs stanza"),
        ({**BACKREST, "config_file": None}, "needs config_file"),
        ({**BACKREST, "repository": "/r"}, "repository belongs to the provider plain"),
        ({**PLAIN, "repository": None}, "needs repository"),
        ({**PLAIN, "stanza": "s"}, "stanza belongs to the provider pgbackrest"),
        ({**PLAIN, "repository": "r"}, "not an absolute path"),
        ({**BACKREST, "config_file": "c"}, "not an absolute path"),
    ],
)
def test_refused(params: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        repository_of(params)
