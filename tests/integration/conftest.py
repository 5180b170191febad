"""Fixtures of every integration test."""

from support.controlplane import control_plane, namespace, own_control_plane

__all__ = ["control_plane", "namespace", "own_control_plane"]
