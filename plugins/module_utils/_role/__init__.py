# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The roles of a fleet: what each must be, and how a server is brought there."""
