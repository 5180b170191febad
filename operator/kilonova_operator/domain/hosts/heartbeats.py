"""Who is up: judged by heartbeats seen to change, and by nobody who is blind.

A host's clock is never asked: what counts is that its Lease changed while our
own watch delivered. The time a host is silent grows only while we could have
heard it. When more than a set share of a cell's hosts is silent at once, the
fault is rather between them and us, and nobody is called down.
"""

from dataclasses import dataclass, field
from typing import Literal

HostState = Literal["Up", "Down", "Unknown"]

# Below three silent hosts a share says nothing: one dead host of two is half
# of its cell, and dead all the same. kube's node lifecycle controller has the
# same floor (ComputeZoneState in pkg/controller/nodelifecycle).
_FEWEST_FOR_BRAKE = 3


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """When silence means down."""

    down_seconds: float = 60.0
    silent_hosts_percent: int = 40
    """More silent at once, and at least three: nobody is called down."""


@dataclass(slots=True)
class _Heard:
    version: str | None
    silent_seconds: float = 0.0
    state: HostState = "Unknown"


@dataclass(slots=True)
class HeartbeatJudge:
    """The states of all hosts, by what was heard and how long ago."""

    settings: HeartbeatSettings
    _hosts: dict[str, _Heard] = field(default_factory=dict)

    def remember(self, host: str, state: HostState) -> None:
        """Take over the state that an earlier process judged, if none is known."""
        self._hosts.setdefault(host, _Heard(version=None, state=state))

    def hear(self, host: str, version: str, *, born: bool = False) -> bool:
        """Note a heartbeat's version; tell whether the host's state changed.

        The first version that this process sees proves nothing: it may be
        years old. Only a change is a sign of life, or that it was ``born``
        before our eyes.
        """
        heard = self._hosts.setdefault(host, _Heard(version=None))
        first = heard.version is None and not born
        if first or heard.version == version:
            heard.version = version
            return False
        heard.version, heard.silent_seconds = version, 0.0
        changed = heard.state != "Up"
        heard.state = "Up"
        return changed

    def forget(self, host: str) -> None:
        """Drop a host that does not exist any more."""
        self._hosts.pop(host, None)

    def state(self, host: str) -> HostState:
        """Return the host's state; Unknown until there was time to hear it."""
        heard = self._hosts.get(host)
        return "Unknown" if heard is None else heard.state

    def pass_time(self, seconds: float) -> None:
        """Let time pass in which our watch delivered."""
        for heard in self._hosts.values():
            heard.silent_seconds += seconds

    def judge(self, hosts_of_cell: frozenset[str]) -> frozenset[str]:
        """Call down who was silent too long; return those whose state changed."""
        if self.brakes(hosts_of_cell):
            return frozenset()
        down = frozenset(
            host
            for host, heard in self._still_up(hosts_of_cell).items()
            if heard.silent_seconds >= self.settings.down_seconds
        )
        for host in down:
            self._hosts[host].state = "Down"
        return down

    def brakes(self, hosts_of_cell: frozenset[str]) -> bool:
        """Tell whether so many are silent at once that we are to be doubted.

        Those long down count neither way. Silence counts from half of the time
        on: when the first host's time is over, all that fell silent with it are
        beyond that, though their heartbeats came at different moments.
        """
        judged = self._still_up(hosts_of_cell).values()
        half = self.settings.down_seconds / 2
        silent = sum(heard.silent_seconds >= half for heard in judged)
        return (
            silent >= _FEWEST_FOR_BRAKE
            and silent * 100 > len(judged) * self.settings.silent_hosts_percent
        )

    def _still_up(self, hosts: frozenset[str]) -> dict[str, _Heard]:
        known = {host: self._hosts[host] for host in hosts & set(self._hosts)}
        return {host: heard for host, heard in known.items() if heard.state != "Down"}
