"""Counting writes in the API server's audit log.

The log holds one JSON event a write, written before the answer. What counts as
ours is told by the account that wrote; what belongs to one Server is told by
the kind: everything else of ours is kept for many Servers together.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_lab.errors import LabError

OPERATOR_SUFFIX = ":kilonova-operator"
HOSTS_PREFIX = "system:serviceaccount:kilonova-hosts:"
AGENT_SUFFIX = ":kilonova-agent"

_HEARTBEAT = {"leases"}
_TOKEN = ("serviceaccounts", "token")
_PER_SERVER = {"servers", "instances", "secrets"}


@dataclass(frozen=True, slots=True)
class Write:
    """One write: who, what verb, on what."""

    role: str
    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    field_manager: str
    state: str | None

    @property
    def is_upkeep(self) -> bool:
        """Leases and tokens: written for ever, whether anything happens or not."""
        return (
            self.resource in _HEARTBEAT or (self.resource, self.subresource) == _TOKEN
        )

    @property
    def is_per_server(self) -> bool:
        """Belongs to one Server's life."""
        return self.resource in _PER_SERVER

    @property
    def shows_build(self) -> bool:
        """Says BUILD once more, of a build that takes its time.

        The first to say so is super, when it gives the Server its host.
        """
        return self.state == "BUILD" and self.field_manager != SUPER_FIELD_MANAGER


def find_role(user: str) -> str | None:
    """Return ``operator`` or ``agent`` for an account of ours, else None."""
    if user.endswith(OPERATOR_SUFFIX):
        return "operator"
    if user.startswith(HOSTS_PREFIX) or user.endswith(AGENT_SUFFIX):
        return "agent"
    return None


def read_writes(log: Path, *, offset: int = 0) -> Iterator[Write]:
    """Yield our writes that stand in the log after ``offset`` bytes.

    Raises:
        LabError: the log was rotated meanwhile, as that of ``make up`` is.
    """
    with log.open("rb") as lines:
        if log.stat().st_size < offset:
            raise LabError(f"{log} was begun anew while writes were counted: try again")
        lines.seek(offset)
        for line in lines:
            if not line.endswith(b"\n"):  # is being written at this moment
                return
            write = _parse(json.loads(line))
            if write is not None:
                yield write


def _parse(event: dict[str, Any]) -> Write | None:
    role = find_role(event.get("user", {}).get("username", ""))
    if role is None:
        return None
    target = event.get("objectRef", {})
    return Write(
        role=role,
        verb=event.get("verb", ""),
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        field_manager=_find_field_manager(event),
        state=_find_state(event.get("requestObject")),
    )


def _find_field_manager(event: dict[str, Any]) -> str:
    query = parse_qs(urlsplit(event.get("requestURI", "")).query)
    return next(iter(query.get("fieldManager", ())), "")


def _find_state(body: Any) -> str | None:
    status = body.get("status") if isinstance(body, dict) else None
    return status.get("state") if isinstance(status, dict) else None


@dataclass(frozen=True, slots=True)
class WriteCount:
    """Writes of a span of time, upkeep left out.

    ``shown_builds`` are among ``per_server``.
    """

    per_server: int
    by_role: dict[str, int]
    shown_builds: int
    aggregate: int
    kinds: dict[str, int]


def count_writes(log: Path, *, offset: int = 0) -> WriteCount:
    """Count our writes after ``offset`` bytes; refused ones count as well."""
    writes = [w for w in read_writes(log, offset=offset) if not w.is_upkeep]
    mine = [w for w in writes if w.is_per_server]
    kinds = Counter(
        f"{w.role} {w.verb} {w.resource}" + f"/{w.subresource}" * bool(w.subresource)
        for w in writes
    )
    return WriteCount(
        per_server=len(mine),
        by_role=dict(Counter(w.role for w in mine)),
        shown_builds=sum(w.shows_build for w in mine),
        aggregate=len(writes) - len(mine),
        kinds=dict(kinds.most_common()),
    )
