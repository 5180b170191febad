"""Quotas: what namespaces may use, and what they use."""
