# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What the control side knows of a fleet: options, machines, secrets, and whose run it is."""
