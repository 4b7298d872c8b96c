# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""System containers: what is wanted, what a host has, the way between, and how it is gone."""
