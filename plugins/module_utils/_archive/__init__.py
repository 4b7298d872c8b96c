# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A WAL archive: its files, what is missing in it, and what its archiver does. No I/O."""
