#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: wal_disk
short_description: Give a stopped server a small disk for its WAL, and take it away again, for drills
version_added: 1.0.0
description:
  - Mounts a file system in memory over C(pg_wal), as large as the WAL that is there and O(free_mb) more, so that a full disk can be seen
    without filling one that others need.
  - The WAL as it was lies beside the data directory until V(normal) has brought the newer one back. A run that was interrupted is finished by
    the next one. When the machine was restarted meanwhile, the file system in memory is gone and the older WAL is put back;
    a standby then fetches the rest from its primary.
  - Only for Linux. Run it as C(root).
options:
  data_directory:
    description: Data directory of the server, which must be stopped unless the state is V(roomy).
    type: path
    required: true
  bin_dir:
    description: Directory of the server's programs. Default is that of the data directory's version.
    type: path
  state:
    description: V(roomy) makes a small disk large, while the server runs. V(normal) removes it.
    type: str
    required: true
    choices: [small, roomy, normal]
  free_mb:
    description: Free space on the small disk.
    type: int
    default: 20
  roomy_mb:
    description: Size of the large one.
    type: int
    default: 1024
extends_documentation_fragment:
  - pgfleet.cluster.attributes
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Give the WAL a disk with 20 MB to spare
  pgfleet.cluster.wal_disk:
    data_directory: /var/lib/postgresql/17/main
    state: small
  become: true
"""

RETURN = r"""
before:
  description: Whether the WAL was on a small disk.
  returned: success
  type: str
  sample: normal
after:
  description: Whether it is there now; V(small) also for one that was made large.
  returned: success
  type: str
  sample: small
leftover:
  description: Whether the WAL is, or an interrupted run left it, in another place than usual. Then V(normal) has something to do.
  returned: success
  type: bool
  sample: false
segments:
  description: How many segments of 16 MB the disk of the WAL holds; null in check mode.
  returned: success
  type: int
  sample: 7
steps:
  description: What was done, or would be done in check mode.
  returned: success
  type: list
  elements: str
  sample: [set_aside, mount, fill]
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import programs_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._drill.disk import Disk
from ansible_collections.pgfleet.cluster.plugins.module_utils._drill.wal_disk import NORMAL, ROOMY, SMALL, plan_disk
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude


def run(module: AnsibleModule) -> dict[str, Any]:
    params, state = module.params, module.params["state"]
    disk = Disk(params["data_directory"], params["free_mb"], params["roomy_mb"])
    found = disk.read(programs_of(disk.data, params["bin_dir"]))
    steps = plan_disk(found, state)
    disk.do([] if module.check_mode else steps)
    after = found.state if state == ROOMY else state
    return {
        "changed": bool(steps),
        "before": found.state,
        "after": after,
        "leftover": bool(found.mounted or found.aside or found.incoming),
        "steps": steps,
        "segments": None if module.check_mode else disk.segments(),
        "diff": {"before": {"state": found.state}, "after": {"state": after}},
    }


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "data_directory": {"type": "path", "required": True},
            "bin_dir": {"type": "path"},
            "state": {"type": "str", "required": True, "choices": [SMALL, ROOMY, NORMAL]},
            "free_mb": {"type": "int", "default": 20},
            "roomy_mb": {"type": "int", "default": 1024},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
