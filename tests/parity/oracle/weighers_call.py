"""The call ``weighers``: Nova's weighers on all hosts of a cloud.

A case holds ``cloud``, ``request`` and ``options``, as tests/parity draws them, and
``weighers``, names in an order.

An answer holds ``raised``, the name of a weigher's exception, or else

- ``normalized``: by weigher, each host's weight in 0..1, in the hosts' order,
- ``multipliers``: by weigher, each host's multiplier,
- ``order``: the hosts as get_weighed_objects sorts them, and ``totals``, theirs.

ImagePropertiesWeigher reads its guests' image properties from a cell's database;
here they are at hand, and only that read is left out.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from cloud_state import build_spec, build_states, set_options
from nova import context, objects
from nova import weights as nova_weights
from nova.scheduler import weights

Answer = dict[str, Any]

CLASSES = {cls.__name__: cls for cls in weights.HostWeightHandler().get_all_classes()}


def answer(case: dict[str, Any]) -> Answer:
    """Answer a case."""
    set_options(case["options"])
    spec = build_spec(case["cloud"], case["request"])
    states = build_states(case["cloud"])
    with _without_cell_database():
        try:
            return _weigh(case["weighers"], states, spec)
        except Exception as error:  # noqa: BLE001 (what Nova raises is an answer)
            return {"raised": type(error).__name__}


def _weigh(names: list[str], states: list[Any], spec: Any) -> Answer:
    weighers = {name: CLASSES[name]() for name in names}
    handler = weights.HostWeightHandler()
    sorted_hosts = handler.get_weighed_objects(list(weighers.values()), states, spec)
    return {
        "normalized": {
            name: _normalize(weigher, states, spec)
            for name, weigher in weighers.items()
        },
        "multipliers": {
            name: [weigher.weight_multiplier(state) for state in states]
            for name, weigher in weighers.items()
        },
        "order": [weighed.obj.host for weighed in sorted_hosts],
        "totals": [weighed.weight for weighed in sorted_hosts],
    }


def _normalize(weigher: Any, states: list[Any], spec: Any) -> list[float]:
    objs = [weights.WeighedHost(state, 0.0) for state in states]
    raw = weigher.weigh_objects(objs, spec)
    scaled = nova_weights.normalize(raw, minval=weigher.minval, maxval=weigher.maxval)
    return [float(weight) for weight in scaled]


@contextlib.contextmanager
def _target_cell(ctxt: Any, mapping: Any) -> Iterator[Any]:
    del mapping
    yield ctxt


@contextlib.contextmanager
def _without_cell_database() -> Iterator[None]:
    with (
        mock.patch.object(objects.CellMapping, "get_by_uuid"),
        mock.patch.object(context, "target_cell", _target_cell),
        mock.patch.object(objects.InstanceList, "fill_metadata"),
    ):
        yield
