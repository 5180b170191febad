"""The call ``fit``: pre-filters, Placement's candidates, and a claim.

A case holds ``hosts`` (``name``, ``aggregates``, ``traits``, ``inventories``,
``used``), ``aggregates``, ``request`` as tests/parity draws them, ``prefilters``
(options of [scheduler]), and ``claim``: a host and the amounts to claim there.

An answer is ``{"refused": "..."}`` if Nova refuses the request itself, else

- ``amounts``, ``required`` and ``forbidden``: what Nova asks of Placement,
- ``candidates``: the hosts that Placement offers, sorted,
- ``claimed``: whether the claim succeeded.
"""

import functools
from typing import Any
from unittest import mock

from cloud_state import build_spec, uuid_of
from nova import conf, context, exception
from nova.scheduler import request_filter, utils
from nova.virt import hardware
from real_aggregates import RealAggregates
from real_placement import RealPlacement

Answer = dict[str, Any]


@functools.cache
def _stores() -> tuple[RealPlacement, RealAggregates]:
    return RealPlacement(), RealAggregates()


def answer(case: dict[str, Any]) -> Answer:
    """Answer a case."""
    placement, aggregates = _stores()
    for name, value in case["prefilters"].items():
        conf.CONF.set_override(name, value, group="scheduler")
    placement.fill(case["hosts"], aggregates.fill(case["aggregates"]))
    answered = _ask(placement, case)
    return answered | {"claimed": placement.claim(**case["claim"])}


def _ask(placement: RealPlacement, case: dict[str, Any]) -> Answer:
    try:
        asked = _build_request(case)
    except Exception as error:
        if not isinstance(error, (exception.NovaException, ValueError)):
            raise
        return {"refused": f"{type(error).__name__}: {error}"}
    group = asked.get_request_group(None)
    answered: Answer = {
        "amounts": dict(group.resources),
        "required": sorted(group.required_traits | asked._root_required),
        "forbidden": sorted(group.forbidden_traits | asked._root_forbidden),
        "groups": asked.get_num_of_suffixed_groups(),
    }
    found = placement.find_candidates(asked.to_querystring())
    if "refused" in found:
        return answered | {"candidates": [], "query_refused": found["refused"]}
    names = {uuid_of(host["name"]): host["name"] for host in case["hosts"]}
    offered = {
        names[uuid]
        for request in found["allocation_requests"]
        for uuid in request["allocations"]
    }
    return answered | {"candidates": sorted(offered)}


def _build_request(case: dict[str, Any]) -> Any:
    spec = build_spec({"hosts": [], "aggregates": []}, case["request"])
    ctxt = context.get_admin_context()
    hardware.numa_get_constraints(spec.flavor, spec.image)  # as the API does before
    with mock.patch.object(
        request_filter, "_should_filter_by_owner", return_value=False
    ):
        request_filter.process_reqspec(ctxt, spec)
    return utils.resources_from_request_spec(ctxt, spec, None)
