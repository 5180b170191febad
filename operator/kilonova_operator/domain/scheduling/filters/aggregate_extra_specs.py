"""AggregateInstanceExtraSpecsFilter: extra specs that aggregates must satisfy."""

from kilonova_api.extra_specs.table import KEYS
from kilonova_operator.domain.scheduling.aggregates import AggregateSet
from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.extra_spec_match import satisfies
from kilonova_operator.domain.scheduling.interfaces import FactsAlone
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_SCOPE = "aggregate_instance_extra_specs"


class AggregateInstanceExtraSpecsFilter(FactsAlone):
    """Pass hosts whose aggregates have a satisfying value for every key asked for.

    Keys without a scope count as well.
    Source: nova.scheduler.filters.aggregate_instance_extra_specs, Nova 34.
    """

    name = "AggregateInstanceExtraSpecsFilter"
    runs_on_rebuild = False

    def understands(self, extra_spec: str) -> bool:
        """Claim keys of the scope, and those without one.

        Not those that Nova gives a meaning of their own: nobody here acts on it.
        """
        return _is_judged(extra_spec) and extra_spec not in KEYS

    def applies(self, asked: RequestClass) -> bool:
        """Look only where such a key is asked for."""
        return bool(self._asked(asked))

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts whose aggregates satisfy every key."""
        wanted = self._asked(asked)

        def may_run(aggregates: AggregateSet) -> bool:
            return all(
                any(satisfies(word, requirement) for word in aggregates.words(key))
                for key, requirement in wanted
            )

        return hosts.by_aggregates(may_run)

    def explain(self, request: BuildRequest) -> str:
        """List the keys."""
        asked = ", ".join(f"{key} {value}" for key, value in self._asked(request.asked))
        return f"The flavor asks for hosts in aggregates with {asked}."

    def _asked(self, asked: RequestClass) -> list[tuple[str, str]]:
        return [
            (key.removeprefix(f"{_SCOPE}:"), requirement)
            for key, requirement in asked.extra_specs
            if _is_judged(key)
        ]


def _is_judged(key: str) -> bool:
    scope, colon, _ = key.partition(":")
    return not colon or scope == _SCOPE
