"""ImagePropertiesWeigher: guests of like images together, or apart."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray, HostColumns
from kilonova_operator.domain.scheduling.request import BuildRequest


@dataclass(frozen=True, slots=True)
class ImagePropertiesWeigher:
    """Guests of the host whose images share a property with this one.

    ``weight_setting``: how much each property counts; empty: all count 1. Multiplier
    0 turns it off, whatever aggregates say.
    Source: nova.scheduler.weights.image_props, Nova 34.
    """

    multiplier: float = 0.0
    weight_setting: tuple[tuple[str, float], ...] = ()
    name = "ImagePropertiesWeigher"
    multiplier_key = "image_props_weight_multiplier"
    sign = 1.0
    minval = None

    def weigh_for(
        self, columns: HostColumns, request: BuildRequest
    ) -> FloatArray | None:
        """Return how many properties of how many guests are the same."""
        if self.multiplier == 0.0:
            return None
        setting = dict(self.weight_setting)
        weights = np.zeros(len(columns))
        for pair in request.asked.image_properties:
            each = setting.get(pair[0], 0.0) if setting else 1.0
            for host, count in columns.image_counts.list_hosts(pair).items():
                row = columns.find_row(host)
                if row is not None:
                    weights[row] += each * count
        return weights
