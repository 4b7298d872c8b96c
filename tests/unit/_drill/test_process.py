"""Where the processes of a drill look for this collection."""

from __future__ import annotations

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.play import PLAYBOOKS
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.process import IMPORT_ROOT


def test_the_collection_is_found_from_its_own_files() -> None:
    assert (IMPORT_ROOT / "ansible_collections/pgfleet/cluster/galaxy.yml").is_file()
    assert (PLAYBOOKS / "switchover.yml").is_file()
