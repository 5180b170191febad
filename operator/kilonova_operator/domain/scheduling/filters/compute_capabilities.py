"""ComputeCapabilitiesFilter: extra specs that ask for qualities of the host."""

import json
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from kilonova_operator.domain.scheduling.attributes import (
    ATTRIBUTES,
    list_attribute,
    list_stat,
)
from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.extra_spec_match import satisfies
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_SCOPE = "capabilities"
_STATS = "stats"
_ADDRESS_BITS = "hw:maxphysaddr_bits"
_ADDRESS_BITS_PATH = "cpu_info:maxphysaddr:bits"


class ComputeCapabilitiesFilter:
    """Pass hosts whose attributes satisfy every ``capabilities:`` extra spec.

    A key without a scope counts where it names an attribute.
    Source: nova.scheduler.filters.compute_capabilities_filter, Nova 34.
    """

    name = "ComputeCapabilitiesFilter"
    runs_on_rebuild = False

    def understands(self, extra_spec: str) -> bool:
        """Claim scoped keys, and unscoped ones that name an attribute.

        Not hw:maxphysaddr_bits: hosts are judged by it, but no agent builds it.
        """
        scope, *path = extra_spec.split(":")
        return scope == _SCOPE if path else scope in ATTRIBUTES

    def applies(self, asked: RequestClass) -> bool:
        """Look only where an extra spec asks for something."""
        return bool(self._asked(asked))

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts that satisfy each requirement."""
        passes = hosts.pass_all()
        for path, requirement in self._asked(asked):
            passes &= _satisfying(hosts, path.split(":"), requirement)
        return passes

    def explain(self, request: BuildRequest) -> str:
        """List the requirements."""
        asked = self._asked(request.asked)
        wanted = ", ".join(f"{path} {requirement}" for path, requirement in asked)
        return f"The flavor asks for {wanted}."

    def _asked(self, asked: RequestClass) -> list[tuple[str, str]]:
        return [
            (_ADDRESS_BITS_PATH, f">= {requirement}")
            if key == _ADDRESS_BITS
            else (key.removeprefix(f"{_SCOPE}:"), requirement)
            for key, requirement in asked.extra_specs
            if key == _ADDRESS_BITS or self.understands(key)
        ]


def _satisfying(hosts: HostRows, path: list[str], requirement: str) -> BoolArray:
    name, *rest = path[1:] if path[0] == _STATS and len(path) > 1 else path
    values = list_attribute(hosts, name) if name == path[0] else None
    if values is None:
        values = list_stat(hosts, name)
    if values is None:
        return np.zeros(len(hosts), np.bool_)
    return _judge_once(values, lambda value: _satisfied(value, rest, requirement))


def _judge_once(values: Sequence[Any], judge: Callable[[Any], bool]) -> BoolArray:
    """Judge each value once; hosts share most of them."""
    judged: dict[Hashable, bool] = {}
    passes = np.zeros(len(values), np.bool_)
    for row, value in enumerate(values):
        key = value if isinstance(value, Hashable) else str(value)
        if key not in judged:
            judged[key] = judge(value)
        passes[row] = judged[key]
    return passes


def _satisfied(value: Any, path: list[str], requirement: str) -> bool:
    for part in path:
        value = _find_part(value, part)
    return value is not None and satisfies(str(value), requirement)


def _find_part(value: Any, part: str) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value.get(part) if isinstance(value, dict) else None
