# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Reads and plans as in a real run, refuses what that would refuse, and changes nothing.
    support: full
  diff_mode:
    description: Shows the state before and after.
    support: full
  idempotent:
    description: A second run finds everything done and changes nothing.
    support: full
"""

    READ_ONLY = r"""
attributes:
  check_mode:
    description: Only reads, so check mode does the same.
    support: full
  diff_mode:
    description: Nothing changes, so there is no difference to show.
    support: none
  idempotent:
    description: Only reads.
    support: full
"""
