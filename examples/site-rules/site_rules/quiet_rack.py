"""A weigher: prefer hosts of aggregates that are marked as quiet."""

from kilonova_operator.domain.scheduling.columns import FloatArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone
from kilonova_operator.domain.scheduling.options import SchedulingOptions
from kilonova_operator.domain.scheduling.rows import HostRows


class QuietRackWeigher(FactsAlone):
    """1 for hosts of an aggregate with ``quiet: "true"``, 0 for the others."""

    name = "QuietRackWeigher"
    multiplier = 0.5
    multiplier_key = "quiet_rack_weight_multiplier"
    sign = 1.0
    minval = None

    def __init__(self, options: SchedulingOptions) -> None:
        del options

    def weigh(self, hosts: HostRows) -> FloatArray:
        """Return raw weights; they are brought to 0..1 afterwards."""
        return hosts.weigh_aggregates(
            lambda aggregates: float("true" in aggregates.words("quiet"))
        )
