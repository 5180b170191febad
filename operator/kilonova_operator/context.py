"""The singletons of one operator process, handed to whatever is built in it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_operator.domain.scheduling.defaults import (
    Scheduling,
    build_default_scheduling,
)
from kilonova_operator.services.admin_verbs import AdminVerbs
from kilonova_operator.services.aggregates.index import AggregateIndex
from kilonova_operator.services.control.feeds import Feeds
from kilonova_operator.services.control.waiting import Waiting
from kilonova_operator.services.informers import Informers
from kilonova_operator.services.leadership import Leadership
from kilonova_operator.services.servers.lost_servers import LostNotes
from kilonova_operator.services.store_freeze import Freeze
from kilonova_operator.services.stores import ApiStore, CellStore, EpochStore
from kilonova_operator.settings import API_DATABASE, Settings


async def _nothing_to_prepare(_database: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Stores:
    """The databases of this release: ``cells`` by name, cell0 included."""

    api: ApiStore
    cells: Mapping[str, CellStore]
    revisions: Mapping[str, str]
    """Schema revision of each database that has answered, by its name."""
    prepare: Callable[[str], Awaitable[None]] = _nothing_to_prepare
    """Makes sure of a database before its first term; DatabaseUnavailable if it
    cannot be used yet."""

    def all(self) -> Mapping[str, EpochStore]:
        """Return every database by its name."""
        return {API_DATABASE: self.api, **self.cells}


@dataclass(frozen=True, slots=True)
class ProcessContext:
    """What services are built from. Services take what they need, not this."""

    settings: Settings
    kube: KubeApi
    clock: Clock
    random: Random
    stores: Stores
    informers: Informers
    aggregates: AggregateIndex
    feeds: Feeds
    waiting: Waiting
    leadership: Leadership
    freeze: Freeze
    lost: LostNotes
    admin: AdminVerbs
    cluster_uid: str
    """uid of the namespace kube-system."""
    scheduling: Scheduling = field(default_factory=build_default_scheduling)
