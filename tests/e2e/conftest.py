"""Fixtures of every end-to-end test."""

from support.cluster import cluster, own_cluster

__all__ = ["cluster", "own_cluster"]
