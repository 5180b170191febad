"""The host's report."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kilonova_agent.domain.host_report import (
    HostFindings,
    HostIdentity,
    Trouble,
    build_report,
    find_unknown,
)
from kilonova_agent.drivers.base import Guest, GuestPower, HostCell, HostInventory
from kilonova_api.host_report import MAX_UNKNOWN_ADDRESSES, AgentReport, MonitorMetric

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IDENTITY = HostIdentity("11111111-2222-4333-8444-555555555555", "boot", "node", "0.1.0")
INVENTORY = HostInventory(
    hypervisor_type="QEMU",
    hypervisor_version=7002022,
    libvirt_version=9000000,
    virt_type="qemu",
    arch="x86_64",
    cpu_model="EPYC",
    cpu_vendor="AMD",
    cores=8,
    cpu_features=("sse2", "svm"),
    memory_mib=16000,
)


def make_guest(uuid: str, power: GuestPower = GuestPower.RUNNING) -> Guest:
    return Guest(uuid, uuid, power, vcpus=2, memory_mib=512, mark=None)


FINDINGS = HostFindings(
    inventory=INVENTORY,
    disk_bytes=100 * 1024**3 + 5,
    unknown=(make_guest("a"), make_guest("b")),
    troubles=(),
)


def build(
    findings: HostFindings = FINDINGS,
    *,
    last: AgentReport | None = None,
    later_seconds: int = 0,
) -> AgentReport:
    now = NOW + timedelta(seconds=later_seconds)
    return build_report(IDENTITY, findings, last=last, generation=3, now=now)


def test_metrics_stay_while_they_cannot_be_read_and_go_with_their_monitor() -> None:
    metrics = (MonitorMetric(name="cpu.percent", value=12),)
    first = build(replace(FINDINGS, metrics=metrics))
    assert first.metrics == metrics
    assert build(replace(FINDINGS, metrics=None), last=first).metrics == metrics
    assert build(FINDINGS, last=first).metrics == ()


CELL = HostCell(
    id=1,
    cpus=frozenset({4, 5, 6, 12, 13}),
    cores=(frozenset({4, 12}), frozenset({5, 13}), frozenset({6})),
    socket=0,
    memory_mib=8000,
    pages={4: 2_000_000, 2048: 16, 1048576: 2},
)


def report_cells(*cells: HostCell) -> list[dict[str, object]]:
    inventory = replace(INVENTORY, numa_cells=cells)
    report = build(replace(FINDINGS, inventory=inventory))
    return [cell.wire() for cell in report.numa_cells]


def test_numa_cells_are_told_with_their_cores_and_pages() -> None:
    assert report_cells(CELL) == [
        {
            "id": 1,
            "cpus": "4-6,12-13",
            "siblings": ["4,12", "5,13"],
            "socket": 0,
            "memoryMiB": 8000,
            "pagePools": [
                {"size": "4Ki", "total": 2_000_000},
                {"size": "2Mi", "total": 16},
                {"size": "1Gi", "total": 2},
            ],
        }
    ]


def test_a_cell_of_memory_alone_is_told() -> None:
    bare = replace(CELL, cpus=frozenset(), cores=(), socket=None)
    (told,) = report_cells(bare)
    assert (told["cpus"], told["siblings"]) == ("", [])


def test_cells_that_the_api_has_no_room_for_are_left_out_as_a_whole() -> None:
    scattered = replace(CELL, cpus=frozenset(range(0, 8192, 2)), cores=())
    assert report_cells(CELL, scattered) == []
    assert report_cells(*(replace(CELL, id=n) for n in range(129))) == []
    assert len(report_cells(*(replace(CELL, id=n) for n in range(128)))) == 128


def test_the_report_tells_what_the_host_has() -> None:
    report = build()

    assert report.cpu is not None
    assert (report.cpu.cores, report.memory_mib, report.disk_gib) == (8, 16000, 100)
    assert (report.unknown_domains, report.unknown_vcpus) == (2, 4)
    assert report.unknown_memory_mib == 1024
    assert [(c.type, c.status) for c in report.conditions] == [("Ready", "True")]


def test_an_unchanged_host_gives_an_equal_report_later() -> None:
    assert build(last=build(), later_seconds=60) == build()


def test_what_cannot_be_read_now_stays_as_reported() -> None:
    blind = replace(
        FINDINGS,
        inventory=None,
        unknown=None,
        troubles=(Trouble("HypervisorUnavailable", "libvirt is away"),),
    )

    report = build(blind, last=build(), later_seconds=60)

    assert report.memory_mib == 16000
    assert report.unknown_domains == 2
    ready, trouble = report.conditions
    assert (ready.status, ready.reason) == ("False", "HypervisorUnavailable")
    assert (trouble.type, trouble.status) == ("HypervisorUnavailable", "True")
    assert ready.last_transition_time == NOW + timedelta(seconds=60)


def test_another_hosts_report_is_not_taken_over() -> None:
    other = build().model_copy(update={"host_id": "0" * 36})
    blind = replace(FINDINGS, inventory=None, unknown=None)

    report = build(blind, last=other)

    assert report.host_id == IDENTITY.host_id
    assert report.memory_mib == 0


def test_only_living_guests_without_an_instance_are_unknown() -> None:
    guests = [make_guest("a"), make_guest("b"), make_guest("c", GuestPower.SHUTDOWN)]

    assert [g.uuid for g in find_unknown(guests, ["a"])] == ["b"]


def test_the_addresses_of_unknown_guests_are_told_up_to_a_bound() -> None:
    few = build(
        replace(FINDINGS, unknown_addresses=frozenset({"10.0.0.9", "10.0.0.3"}))
    )
    assert few.unknown_addresses == ("10.0.0.3", "10.0.0.9")
    many = frozenset(f"10.1.{number // 256}.{number % 256}" for number in range(1000))
    full = build(replace(FINDINGS, unknown_addresses=many), last=few)
    assert len(full.unknown_addresses) == MAX_UNKNOWN_ADDRESSES
    assert set(full.unknown_addresses) <= many
    AgentReport.model_validate(full.wire())
    assert build(last=full).unknown_addresses == ()


def test_addresses_that_cannot_be_read_now_stay_as_reported() -> None:
    known = build(replace(FINDINGS, unknown_addresses=frozenset({"10.0.0.3"})))
    blind = replace(FINDINGS, unknown=None)
    assert build(blind, last=known).unknown_addresses == ("10.0.0.3",)
