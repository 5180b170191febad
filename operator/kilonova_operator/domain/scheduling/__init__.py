"""Choosing a host as Nova does: pre-filters, filters, weighers; then the claim.

Everything here works on columns over all hosts at once. A rule is a file with
one class; ``defaults`` puts them in order.
"""
