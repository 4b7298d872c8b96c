# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""pg_hba.conf: one reader, one writer, one set of checks for its rules."""
