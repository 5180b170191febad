"""The guest's host name, made of the Server's name."""

import re

_MOST_CHARACTERS = 63
_TO_DASH = re.compile(r"[ _.]")
_NOT_ALLOWED = re.compile(r"[^a-z0-9-]")


def build_hostname(server_name: str, uid: str) -> str:
    """Return a DNS label: lower case, separators as dashes, 63 characters at most.

    A name of which nothing is left gives ``server-<uid>``.
    Source: nova.utils.sanitize_hostname and
    nova.compute.api._populate_instance_for_create, Nova 34.
    """
    dashed = _TO_DASH.sub("-", server_name.lower())
    cleaned = _NOT_ALLOWED.sub("", dashed).strip("-")
    label = cleaned or f"server-{uid}"
    return label[:_MOST_CHARACTERS].rstrip("-")
