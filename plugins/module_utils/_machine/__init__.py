# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Machines of nodes, be they virtual machines or system containers: what both kinds share."""
