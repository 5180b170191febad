"""Aggregates: which hosts they have, and what they share."""
