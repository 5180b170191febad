"""What Instances tell of their hosts: builds under way, builds that failed, images.

Nova's compute nodes count these themselves (nova.compute.stats, Nova 34). A count of
failed builds begins anew with the process, as Nova's with its compute service, and
with the first guest that is built.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Protocol

from kilonova_api.compute_host import ComputeHost
from kilonova_api.instance import Instance
from kilonova_api.kube.resources import Key
from kilonova_operator.domain.scheduling.columns import Number

_BUILDING = (None, "BUILD")
_FAILED = "ERROR"

Pair = tuple[str, str]


class LoadSink(Protocol):
    """What takes the counts; a host that is not known there is passed over."""

    def set_number(self, host: str, name: Number, value: int) -> None:
        """Replace one number of a host."""
        ...

    def set_image_counts(self, host: str, counts: Mapping[Pair, int]) -> None:
        """Replace how many guests of a host have an image property's value."""
        ...


class HostLoad:
    """Counts, host by host; ``counts_images`` where images are weighed."""

    def __init__(self, sink: LoadSink, *, counts_images: bool) -> None:
        self._sink = sink
        self._counts_images = counts_images
        self._building: defaultdict[str, set[Key]] = defaultdict(set)
        self._failed: Counter[str] = Counter()
        self._images: defaultdict[str, Counter[Pair]] = defaultdict(Counter)

    def instance_changed(
        self, key: Key, old: Instance | None, new: Instance | None
    ) -> None:
        """Follow a change of an Instance."""
        if old is not None:
            self._building[old.spec.host].discard(key)
            self._count_image(old, -1)
        if new is not None:
            if _is_building(new):
                self._building[new.spec.host].add(key)
            self._count_image(new, 1)
        if old is not None and new is not None:
            self._count_outcome(old, new)
        for host in {i.spec.host for i in (old, new) if i is not None}:
            self._tell(host)

    def host_changed(
        self, key: Key, old: ComputeHost | None, new: ComputeHost | None
    ) -> None:
        """Tell of a host that is new where the counts go."""
        if old is None and new is not None:
            self._tell(key.name)
        elif new is None:
            del self._failed[key.name]

    def _count_outcome(self, old: Instance, new: Instance) -> None:
        host = new.spec.host
        if _has_failed(new) and not _has_failed(old):
            self._failed[host] += 1
        elif new.status.built_at is not None and old.status.built_at is None:
            self._failed[host] = 0

    def _count_image(self, instance: Instance, sign: int) -> None:
        if not self._counts_images:
            return
        counts = self._images[instance.spec.host]
        for pair in instance.spec.image.properties.items():
            counts[pair] += sign

    def _tell(self, host: str) -> None:
        building = self._building[host]
        self._sink.set_number(host, "io_ops", len(building))
        self._sink.set_number(host, "failed_builds", self._failed[host])
        if not building:
            del self._building[host]
        if self._counts_images:
            self._images[host] = +self._images[host]
            self._sink.set_image_counts(host, self._images[host])


def _is_building(instance: Instance) -> bool:
    return instance.spec.destroy is None and instance.status.state in _BUILDING


def _has_failed(instance: Instance) -> bool:
    """Tell whether the guest was never built, and will not be."""
    status = instance.status
    return status.state == _FAILED and status.built_at is None
