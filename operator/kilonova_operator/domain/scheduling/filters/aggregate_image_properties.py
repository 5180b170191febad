"""AggregateImagePropertiesIsolation: hosts that are kept for certain images."""

from dataclasses import dataclass

from kilonova_operator.domain.scheduling.aggregates import AggregateSet
from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone, NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows


@dataclass(frozen=True, slots=True)
class AggregateImagePropertiesIsolation(FactsAlone, NoExtraSpecs):
    """Pass hosts whose aggregates say nothing else of the image's properties.

    ``namespace`` and ``separator``: only metadata whose keys begin with both
    counts. A meant deviation: any property of the image counts, where Nova looks at
    those alone that it knows itself.
    Source: nova.scheduler.filters.aggregate_image_properties_isolation, Nova 34.
    """

    namespace: str = ""
    separator: str = "."
    name = "AggregateImagePropertiesIsolation"
    runs_on_rebuild = True

    def applies(self, asked: RequestClass) -> bool:
        """Look only where the image has a property that may count."""
        return any(self._counts(key) and value for key, value in asked.image_properties)

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts whose aggregates list the property's value, or no value."""
        properties = [
            (key, value)
            for key, value in asked.image_properties
            if value and self._counts(key)
        ]

        def may_run(aggregates: AggregateSet) -> bool:
            listed = ((aggregates.words(key), value) for key, value in properties)
            return all(not words or value in words for words, value in listed)

        return hosts.by_aggregates(may_run)

    def explain(self, request: BuildRequest) -> str:
        """Say for what the host is not."""
        del request
        return "The host is kept for images with other properties."

    def _counts(self, key: str) -> bool:
        return not self.namespace or key.startswith(self.namespace + self.separator)
