"""Weights are normalised and summed as Nova does it."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova_operator.domain.scheduling.defaults import build_default_scheduler
from kilonova_operator.domain.scheduling.normalize import normalize_weights
from kilonova_operator.domain.scheduling.weighers.cpu import CPUWeigher
from kilonova_operator.domain.scheduling.weighers.disk import DiskWeigher
from kilonova_operator.domain.scheduling.weighers.hypervisor_version import (
    HypervisorVersionWeigher,
)
from kilonova_operator.domain.scheduling.weighers.num_instances import (
    NumInstancesWeigher,
)
from kilonova_operator.domain.scheduling.weighers.ram import RAMWeigher
from support.scheduling import SMALL, X86, made_columns, made_facts, made_view

HOSTS = made_columns(
    (made_facts("a"), made_view("a", used=(3, 1000, 10), claims=2)),
    (made_facts("b"), made_view("b", memory_mb=512, used=(0, 100, 0))),
)


def normalized_by_hand(weights: list[float], minval: float | None) -> list[float]:
    """Follow nova.weights.normalize, Nova 34, one number after another."""
    if not weights:
        return []
    if minval is not None:
        weights = [max(weight, minval) for weight in weights]
    low = min(weights) if minval is None else minval
    top = max(weights)
    if low == top:
        return [0.0 for _ in weights]
    return [(weight - low) / (top - low) for weight in weights]


@given(
    st.lists(st.integers(-100, 100).map(float), max_size=8),
    st.sampled_from([None, 0.0]),
)
def test_normalisation_is_novas(weights: list[float], minval: float | None) -> None:
    scaled = normalize_weights(np.array(weights), minval=minval)
    assert scaled.tolist() == normalized_by_hand(weights, minval)


@pytest.mark.parametrize(
    ("weights", "minval", "expected"),
    [
        pytest.param([5.0, 5.0], 0.0, [1.0, 1.0], id="equal above the minimum"),
        pytest.param([5.0, 5.0], None, [0.0, 0.0], id="equal without one"),
        pytest.param([-5.0, 0.0], 0.0, [0.0, 0.0], id="nothing is free"),
        pytest.param([-5.0, 10.0], 0.0, [0.0, 1.0], id="below the minimum"),
        pytest.param([2.0, 4.0, 3.0], None, [0.0, 1.0, 0.5], id="min to max"),
    ],
)
def test_a_minimum_changes_what_equal_hosts_get(
    weights: list[float], minval: float | None, expected: list[float]
) -> None:
    assert normalize_weights(np.array(weights), minval=minval).tolist() == expected


def test_raw_weights_are_novas() -> None:
    assert RAMWeigher().weigh(HOSTS, SMALL).tolist() == [32768 - 512 - 1000, -100]
    assert CPUWeigher().weigh(HOSTS, SMALL).tolist() == [16 * 4.0 - 3, 64.0]
    assert DiskWeigher().weigh(HOSTS, SMALL).tolist() == [490 * 1024, 500 * 1024]
    assert NumInstancesWeigher().weigh(HOSTS, SMALL).tolist() == [2, 0]
    versions = HypervisorVersionWeigher().weigh(HOSTS, SMALL)
    assert versions.tolist() == [X86.hypervisor_version] * 2


def test_multipliers_and_minimums_are_novas_defaults() -> None:
    found = {
        weigher.name: (weigher.multiplier, weigher.minval)
        for weigher in build_default_scheduler().weighers
    }
    assert found == {
        "CPUWeigher": (1.0, 0.0),
        "DiskWeigher": (1.0, 0.0),
        "HypervisorVersionWeigher": (1.0, None),
        "NumInstancesWeigher": (0.0, None),
        "RAMWeigher": (1.0, 0.0),
    }


def test_one_surviving_host_is_never_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("weighed")

    monkeypatch.setattr(RAMWeigher, "weigh", fail)
    columns = made_columns((made_facts("a"), made_view("a")))
    decision = build_default_scheduler().select(columns, SMALL, random=Random(1))
    assert decision.hosts == ("a",)
