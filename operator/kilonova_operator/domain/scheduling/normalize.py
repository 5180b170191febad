"""Weights on one scale, and their sum."""

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray


def normalize_weights(raw: FloatArray, *, minval: float | None = None) -> FloatArray:
    """Bring raw weights of shape (H,) to 0..1; all 0 where they do not differ.

    With ``minval`` nothing lies below it and the scale begins there, so equal
    weights above it give 1 each, not 0.
    Source: nova.weights.normalize and BaseWeigher.weigh_objects, Nova 34.
    """
    if len(raw) == 0:
        return raw
    weights = raw if minval is None else np.maximum(raw, minval)
    low = float(weights.min()) if minval is None else float(minval)
    top = float(weights.max())
    if low == top:
        return np.zeros(len(weights))
    scaled: FloatArray = (weights - low) / (top - low)
    return scaled
