"""Clusters that the playbooks of day two change."""

from __future__ import annotations

from ansible_collections.pgfleet.cluster.tests.integration.site.conftest import empty_fleet, fleet

__all__ = ["empty_fleet", "fleet"]
