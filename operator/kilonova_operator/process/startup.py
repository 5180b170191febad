"""What has to be so before the first Lease is asked for.

Everything that may come by itself is waited for, with growing pauses and with
the reason in the log and at ``/readyz``; what only a person can change ends the
process with what to do.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import KubeError
from kilonova_api.kube.resources import NAMESPACE
from kilonova_operator.domain.epoch import Owner
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.process.health import Health
from kilonova_operator.services.crds import CrdCheck, HalfUpgraded
from kilonova_operator.services.store_watch import StoreVersionNotes, read_version
from kilonova_operator.settings import Settings

T = TypeVar("T")

_BACKOFF = Backoff(0.5, 15.0)

CAN_PASS = (KubeError, DatabaseUnavailable, HalfUpgraded)
"""What is waited for. Anything else ends the process."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Tries until it works, and says what it waits for."""

    health: Health
    clock: Clock
    random: Random

    async def until_done(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what ``attempt`` gives once it does."""
        failures = 0
        while True:
            try:
                return await attempt()
            except CAN_PASS as error:
                failures += 1
                self.health.waiting(f"{what}: {error}")
                await self.clock.sleep(_BACKOFF.delay(failures, self.random))


async def read_cluster_uid(kube: KubeApi) -> str:
    """Return the uid of kube-system, which stands for the cluster."""
    namespace = await kube.get(NAMESPACE, None, "kube-system")
    uid: str = namespace["metadata"]["uid"]
    return uid


async def read_owner(kube: KubeApi, settings: Settings) -> Owner:
    """Return who this installation is to its databases."""
    cluster_uid = await read_cluster_uid(kube)
    return Owner(cluster_uid, f"{settings.namespace}/{settings.release}")


async def check_crds(kube: KubeApi) -> None:
    """Raise HalfUpgraded unless the CRDs fit this program."""
    await CrdCheck(kube).check()


@dataclass(frozen=True, slots=True)
class StoreVersions:
    """The API server's store: its version now, and the highest that was noted."""

    now: int
    noted: int

    @property
    def went_back(self) -> bool:
        """Tell whether the store is older than it was."""
        return self.now < self.noted

    def explain(self) -> str:
        """Say what happened and what follows."""
        return (
            f"the API server's store went back from version {self.noted} to "
            f"{self.now}: an older backup of etcd was restored. Nothing is claimed, "
            "released or destroyed until all hosts and Instances were looked at."
        )


async def read_store_versions(kube: KubeApi, notes: StoreVersionNotes) -> StoreVersions:
    """Read both versions."""
    noted = await notes.read_store_version()
    return StoreVersions(now=await read_version(kube), noted=noted)
