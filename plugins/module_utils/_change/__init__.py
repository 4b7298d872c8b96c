# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A change of the primary on one node: demote, promote, what is checked before, and whose run it is."""
