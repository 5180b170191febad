"""Host aggregates as rules read them: those of one host, together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite

AVAILABILITY_ZONE = "availability_zone"


@dataclass(frozen=True, slots=True)
class AggregateFacts:
    """One aggregate; ``metadata`` holds its availability zone as Nova's does."""

    name: str
    metadata: tuple[tuple[str, str], ...] = ()

    def find(self, key: str) -> str | None:
        """Return the value of a metadata key."""
        return dict(self.metadata).get(key)


@dataclass(frozen=True, slots=True)
class AggregateSet:
    """All aggregates of a host; hosts in the same ones share one judgement."""

    aggregates: tuple[AggregateFacts, ...] = ()

    def list_values(self, key: str) -> tuple[str, ...]:
        """List a key's values, one for each aggregate that has the key.

        Source: nova.scheduler.filters.utils.aggregate_values_from_key, Nova 34.
        """
        found = (aggregate.find(key) for aggregate in self.aggregates)
        return tuple(value for value in found if value is not None)

    def words(self, key: str) -> frozenset[str]:
        """Return the words of a key's values, which commas part.

        Source: nova.scheduler.filters.utils.aggregate_metadata_get_by_host.
        """
        return frozenset(
            word.strip() for value in self.list_values(key) for word in value.split(",")
        )

    def list_keys(self) -> frozenset[str]:
        """Return every metadata key of any of the aggregates."""
        return frozenset(key for a in self.aggregates for key, _ in a.metadata)

    def find_lowest(
        self, key: str, read: Callable[[str], float], *, of_site: float
    ) -> float:
        """Return the lowest of a key's values; the site's if any is no finite number.

        Source: nova.scheduler.filters.utils.validate_num_values, Nova 34, and its
        callers, which fall back to the configured value. Nova takes nan and inf for
        numbers; with nan there is no order of hosts.
        """
        try:
            numbers = [read(value) for value in self.list_values(key)]
        except ValueError:
            return of_site
        return min(numbers, default=of_site) if all(map(isfinite, numbers)) else of_site


NO_AGGREGATES = AggregateSet()


def build_aggregate_set(aggregates: Iterable[AggregateFacts]) -> AggregateSet:
    """Return aggregates in one order, so that equal sets are equal."""
    return AggregateSet(tuple(sorted(aggregates, key=lambda a: a.name)))
