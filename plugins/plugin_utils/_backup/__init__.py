# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Backups and archive of a fleet, as the control side shows them. No I/O."""
