"""Hosts as others speak of them: their zone, and whether they answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.resources import Key


class HostIndex(Protocol):
    """What is needed of the informer of ComputeHosts."""

    def find(self, key: Key) -> ComputeHost | None:
        """Give the host, None when absent."""
        ...

    def items(self) -> Mapping[Key, ComputeHost]:
        """Give all hosts."""
        ...


@dataclass(frozen=True, slots=True)
class HostDirectory:
    """Where a host stands: its zone, and whether it answers."""

    index: HostIndex

    def find(self, host: str) -> ComputeHost | None:
        """Return a host, as far as it is known here."""
        return self.index.find(Key("", host))

    def zone(self, host: str) -> str | None:
        """Return the availability zone of a host."""
        found = self.index.find(Key("", host))
        return found.status.zone if found else None

    def is_away(self, host: str) -> bool:
        """Tell whether nobody answers for the host: it is down, or gone."""
        found = self.index.find(Key("", host))
        return found is None or found.status.state == "Down"

    def answers(self, host: str) -> bool:
        """Tell whether the host's heartbeat is heard."""
        found = self.index.find(Key("", host))
        return found is not None and found.status.state == "Up"

    def is_down(self, host: str) -> bool:
        """Tell whether the host's heartbeat is not heard any more."""
        found = self.index.find(Key("", host))
        return found is not None and found.status.state == "Down"
