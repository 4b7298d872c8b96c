# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Certificates: read, compared with what is wanted, kept on a node, and seen in a handshake. Standard library only."""
