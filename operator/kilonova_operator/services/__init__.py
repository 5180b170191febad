"""Asynchronous rules: gather, decide, write."""
