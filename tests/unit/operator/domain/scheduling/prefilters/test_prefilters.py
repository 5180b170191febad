"""What must hold of a host in any case, by the rules of Nova 34."""

from collections.abc import Iterable

import pytest

from kilonova_operator.domain.scheduling.aggregates import AggregateFacts
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.prefilters.availability_zone import (
    AvailabilityZone,
)
from kilonova_operator.domain.scheduling.prefilters.host_enabled import HostEnabled
from kilonova_operator.domain.scheduling.prefilters.image_traits import (
    ImageTraits,
    ImageTypeSupport,
)
from kilonova_operator.domain.scheduling.prefilters.isolated_aggregates import (
    IsolatedAggregates,
)
from kilonova_operator.domain.scheduling.prefilters.tenant_isolation import (
    TenantIsolation,
)
from kilonova_operator.domain.scheduling.prefilters.traits import (
    ForbiddenTraits,
    RequiredTraits,
)
from support.judging import made_aggregates, passing
from support.scheduling import (
    SMALL,
    made_columns,
    made_facts,
    made_request,
    made_scheduler,
    made_view,
)

GOLD, SSD = "CUSTOM_GOLD", "CUSTOM_SSD"


def hosts_with(**traits: Iterable[str]) -> HostColumns:
    return made_columns(
        *(
            (made_facts(host, traits=frozenset(own)), made_view(host))
            for host, own in traits.items()
        )
    )


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        pytest.param(None, ["a", "b", "c"], id="any"),
        pytest.param("east", ["a"], id="one"),
        pytest.param("nova", [], id="Nova's own name is a zone like others"),
        pytest.param("nowhere", [], id="a zone that is not there"),
    ],
)
def test_a_zone_has_its_hosts_and_no_others(
    zone: str | None, expected: list[str]
) -> None:
    hosts = made_columns(
        (made_facts("a", zone="east"), made_view("a")),
        (made_facts("b", zone="west"), made_view("b")),
        (made_facts("c"), made_view("c")),
    )
    assert passing(AvailabilityZone(), hosts, made_request(zone=zone)) == expected


@pytest.mark.parametrize(
    ("required", "forbidden", "expected"),
    [
        pytest.param(set(), set(), ["both", "gold", "none"], id="nothing asked"),
        pytest.param({GOLD}, set(), ["both", "gold"], id="required"),
        pytest.param({GOLD, SSD}, set(), ["both"], id="all of them"),
        pytest.param(set(), {SSD, "CUSTOM_X"}, ["gold", "none"], id="none of them"),
        pytest.param({GOLD}, {SSD}, ["gold"], id="one but not the other"),
        pytest.param({"CUSTOM_TYPO"}, set(), [], id="nobody has it"),
    ],
)
def test_hosts_have_what_is_required_and_nothing_forbidden(
    required: set[str], forbidden: set[str], expected: list[str]
) -> None:
    hosts = hosts_with(both=(GOLD, SSD), gold=(GOLD,), none=())
    request = made_request(
        required_traits=frozenset(required), forbidden_traits=frozenset(forbidden)
    )
    left = passing(RequiredTraits(), hosts, request)
    assert [h for h in passing(ForbiddenTraits(), hosts, request) if h in left] == (
        expected
    )


def test_the_reason_names_the_trait() -> None:
    request = made_request(required_traits=frozenset({"CUSTOM_TYPO"}))
    assert "CUSTOM_TYPO" in RequiredTraits().explain(request)


def test_an_admin_may_disable_a_host_by_its_trait() -> None:
    hosts = hosts_with(on=(), off=("COMPUTE_STATUS_DISABLED",))
    assert passing(HostEnabled(), hosts, SMALL) == ["on"]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param({}, ["scsi", "none"], id="nothing said"),
        pytest.param({"os_distro": "debian"}, ["scsi", "none"], id="no such quality"),
        pytest.param({"hw_disk_bus": "scsi"}, ["scsi"], id="a bus"),
        pytest.param({"hw_vif_model": "spapr-vlan"}, [], id="dashes are not in names"),
    ],
)
def test_an_image_needs_the_traits_of_its_buses(
    properties: dict[str, str], expected: list[str]
) -> None:
    hosts = hosts_with(scsi=("COMPUTE_STORAGE_BUS_SCSI",), none=())
    request = made_request(image_properties=properties)
    assert passing(ImageTraits(), hosts, request) == expected


@pytest.mark.parametrize(
    ("image_format", "expected"), [("", ["qcow2", "none"]), ("qcow2", ["qcow2"])]
)
def test_an_image_needs_a_host_that_reads_its_format(
    image_format: str, expected: list[str]
) -> None:
    hosts = hosts_with(qcow2=("COMPUTE_IMAGE_TYPE_QCOW2",), none=())
    request = made_request(image_format=image_format)
    assert passing(ImageTypeSupport(), hosts, request) == expected


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        pytest.param({}, True, id="nothing said"),
        pytest.param({"trait:CUSTOM_GOLD": "required"}, True, id="it is asked for"),
        pytest.param({"trait:CUSTOM_SSD": "required"}, False, id="it is not"),
        pytest.param({"trait:CUSTOM_SSD": "forbidden"}, True, id="not required"),
    ],
)
def test_hosts_kept_for_a_trait_take_only_what_requires_it(
    metadata: dict[str, str], *, expected: bool
) -> None:
    facts = made_facts("hv", aggregates=made_aggregates(metadata))
    hosts = made_columns((facts, made_view("hv")))
    request = made_request(required_traits=frozenset({GOLD}))
    assert (passing(IsolatedAggregates(), hosts, request) == ["hv"]) is expected


def tenant_hosts(*, empty_aggregate_of: str = "") -> HostColumns:
    own = made_aggregates({"filter_tenant_id": "red", "note": "x"})
    hosts = made_columns(
        (made_facts("reds", aggregates=own), made_view("reds")),
        (made_facts("open"), made_view("open")),
    )
    empty = AggregateFacts("empty", (("filter_tenant_id1", empty_aggregate_of),))
    hosts.set_aggregates([*own.aggregates, empty])
    return hosts


@pytest.mark.parametrize(
    ("tenant", "required", "expected"),
    [
        pytest.param("red", False, ["reds"], id="a tenant with hosts of its own"),
        pytest.param("blue", False, ["reds", "open"], id="one without"),
        pytest.param("blue", True, [], id="one without, where it needs some"),
        pytest.param("green", False, [], id="one whose aggregate is empty"),
    ],
)
def test_a_tenant_stays_on_hosts_of_its_own(
    tenant: str, expected: list[str], *, required: bool
) -> None:
    hosts = tenant_hosts(empty_aggregate_of="green")
    request = made_request(tenant=tenant)
    assert passing(TenantIsolation(required), hosts, request) == expected


def test_an_aggregate_that_comes_later_counts_for_hosts_judged_before() -> None:
    hosts = tenant_hosts(empty_aggregate_of="nobody")
    scheduler = made_scheduler(hosts, prefilters=(TenantIsolation(),))
    request = made_request(tenant="green")
    assert scheduler.select(request).hosts_left == 2
    greens = AggregateFacts("greens", (("filter_tenant_id", "green"),))
    hosts.set_aggregates([*hosts.aggregates, greens])
    assert scheduler.select(request).hosts_left == 0
