"""The call ``filters``: each of Nova's filters on each host of a cloud.

A case holds ``cloud``, ``request`` and ``options``, as tests/parity draws them, and
``chain``, names of filters in an order.

An answer holds ``filters``: for each filter, by name, a verdict for each host in
order, true, false, or the name of the exception that the filter raised; and
``chain``: the hosts that get_filtered_objects leaves of those filters, or the name
of the exception.
"""

from typing import Any

from cloud_state import build_spec, build_states, set_options
from nova import filters as nova_filters
from nova.scheduler import filters

Answer = dict[str, Any]

_WITH_DEVICES = frozenset({"NUMATopologyFilter", "PciPassthroughFilter"})
"""The first has a call of its own."""
CLASSES = {
    cls.__name__: cls
    for cls in filters.HostFilterHandler().get_all_classes()
    if cls.__name__ not in _WITH_DEVICES
}


def answer(case: dict[str, Any]) -> Answer:
    """Answer a case."""
    set_options(case["options"])
    spec = build_spec(case["cloud"], case["request"])
    states = build_states(case["cloud"])
    return {
        "filters": {
            name: [_judge(cls(), state, spec) for state in states]
            for name, cls in CLASSES.items()
        },
        "chain": _run_chain(case["chain"], states, spec),
    }


def _judge(rule: nova_filters.BaseFilter, state: Any, spec: Any) -> bool | str:
    try:
        return bool(rule._filter_one(state, spec))
    except Exception as error:  # noqa: BLE001 (what Nova raises is an answer)
        return type(error).__name__


def _run_chain(names: list[str], states: list[Any], spec: Any) -> list[str] | str:
    handler = filters.HostFilterHandler()
    rules = [CLASSES[name]() for name in names]
    try:
        left = handler.get_filtered_objects(rules, states, spec)
    except Exception as error:  # noqa: BLE001
        return type(error).__name__
    return [state.host for state in left]
