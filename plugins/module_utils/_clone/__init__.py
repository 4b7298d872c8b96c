# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Base backup and rewind: the plans, and the programs that carry them out."""
