"""Hosts that a frozen installation waits for, and a person's word to go on.

A host that is silent may run guests that no Instance tells of. So it is waited
for until it speaks or is called down; and where too many are silent at once,
nobody is called down. Then only a person knows whether they ever come back: the
Cell names them, and its annotation lets the rest go on without them.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.resources import Key
from kilonova_api.names import GROUP
from kilonova_operator.services.control.feeds import FeedKind, Feeds
from kilonova_operator.services.persons_word import find_word
from kilonova_operator.services.servers.hosts import HostIndex
from kilonova_operator.services.store_freeze import Freeze

logger = logging.getLogger(__name__)

GO_ON_ANNOTATION = f"{GROUP}/go-on-without-silent-hosts"
"""On a Cell: the time of a person's word; it holds for an hour."""
PROBLEM_TOPIC = "hosts waited for"

_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class SilentHosts:
    """Finds the hosts that have to be heard yet, and says who they are."""

    kube: KubeApi
    hosts: HostIndex
    freeze: Freeze
    feeds: Feeds
    clock: Clock
    note_problem: Callable[[str, str | None], None]

    async def find_awaited(self) -> tuple[str, ...]:
        """Return the hosts that are neither heard, down, nor given up."""
        awaited = {
            cell: hosts
            for cell, hosts in self._silent_by_cell().items()
            if not await self._is_given_up(cell, hosts)
        }
        self._tell({c: describe_awaited(c, hosts) for c, hosts in awaited.items()})
        return tuple(host for hosts in awaited.values() for host in hosts)

    def _silent_by_cell(self) -> Mapping[str, tuple[str, ...]]:
        by_cell: dict[str, list[str]] = {}
        for key, host in sorted(self.hosts.items().items()):
            # A host that never had a cell never had a guest either.
            if _is_silent(host) and host.status.cell is not None:
                by_cell.setdefault(host.status.cell, []).append(key.name)
        return {cell: tuple(hosts) for cell, hosts in by_cell.items()}

    async def _is_given_up(self, cell: str, hosts: tuple[str, ...]) -> bool:
        given_at = await find_word(
            self.kube, cell, GO_ON_ANNOTATION, now=self.clock.utcnow()
        )
        if given_at is None:
            return False
        logger.warning(
            "cell %s goes on without its silent hosts, by the word of %s: %s",
            cell,
            given_at.isoformat(),
            ", ".join(hosts),
        )
        return True

    def _tell(self, texts: Mapping[str, str]) -> None:
        for cell in self.freeze.note_awaited(texts):
            self.feeds.publish(FeedKind.CELLS, Key("", cell))
        text = " ".join(texts[cell] for cell in sorted(texts))
        self.note_problem(PROBLEM_TOPIC, text or None)


def describe_awaited(cell: str, hosts: tuple[str, ...]) -> str:
    """Say whom a cell waits for, and how to go on without them."""
    named = ", ".join(hosts[:_MOST_NAMED])
    more = len(hosts) - _MOST_NAMED
    return (
        f"Cell {cell} waits to hear its silent hosts {named}"
        f"{f' and {more} more' if more > 0 else ''}. If they do not come back: "
        "kubectl annotate --overwrite cell "
        f"{cell} {GO_ON_ANNOTATION}=$(date -u +%FT%TZ); what their Instances hold "
        "stays held."
    )


def _is_silent(host: ComputeHost) -> bool:
    return host.status.state == "Unknown"
