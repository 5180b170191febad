"""What a ComputeHost tells the scheduler."""

import pytest

from kilonova_api.compute_host import ComputeHost, ComputeHostStatus
from kilonova_api.host_report import AgentReport, CpuReport, MonitorMetric
from kilonova_api.meta import ObjectMeta
from kilonova_operator.domain.scheduling.facts import build_host_facts, version_number
from kilonova_operator.domain.scheduling.metrics import HostMetric

REPORT = AgentReport(
    host_id="9c0f3c9e-5a39-4f5c-8c6b-1d6c5f5b0a11",
    agent_version="0.1.0",
    hypervisor_type="QEMU",
    hypervisor_version=7_002_000,
    virt_type="qemu",
    cpu=CpuReport(arch="x86_64", model="Skylake", cores=8, features=("avx2", "aes")),
)


def made_host(**status: object) -> ComputeHost:
    return ComputeHost(
        metadata=ObjectMeta(name="hv1"),
        status=ComputeHostStatus.model_validate(status),
    )


def test_facts_follow_the_status() -> None:
    facts = build_host_facts(
        made_host(state="Up", scheduling="Enabled", cell="cell1", agent=REPORT)
    )
    assert (facts.host, facts.cell) == ("hv1", "cell1")
    assert (facts.up, facts.held) == (True, False)
    assert facts.profile.cpu_features == ("aes", "avx2")
    assert ("x86_64", "qemu", "hvm") in facts.profile.supported_instances


def test_metrics_and_the_width_of_addresses_are_taken_where_the_agent_tells_them() -> (
    None
):
    cpu = CpuReport(arch="x86_64", cores=8, address_bits=46)
    metrics = (
        MonitorMetric(name="cpu.user.percent", value=7),
        MonitorMetric(name="cpu.percent", value=12),
    )
    told = REPORT.model_copy(update={"cpu": cpu, "metrics": metrics})
    facts = build_host_facts(made_host(agent=told))
    assert facts.metrics == (
        HostMetric("cpu.percent", 12),
        HostMetric("cpu.user.percent", 7),
    )
    assert facts.profile.maxphysaddr_bits == 46
    silent = build_host_facts(made_host(agent=REPORT))
    assert (silent.metrics, silent.profile.maxphysaddr_bits) == ((), 0)


@pytest.mark.parametrize(
    ("status", "up", "held"),
    [
        pytest.param({}, False, True, id="new"),
        pytest.param(
            {"state": "Up", "scheduling": "Enabled"}, True, True, id="no report"
        ),
        pytest.param(
            {"state": "Unknown", "scheduling": "Enabled", "agent": REPORT},
            False,
            False,
            id="state unknown",
        ),
    ],
)
def test_a_host_that_is_not_known_well_gets_nothing(
    status: dict[str, object], *, up: bool, held: bool
) -> None:
    facts = build_host_facts(made_host(**status))
    assert (facts.up, facts.held) == (up, held)


def test_versions_sort_as_numbers() -> None:
    versions = ["nonsense", "0.9.12", "0.10.0", "1.0.0-rc1", "1.2.3+build", "10.0.0"]
    numbers = [version_number(version) for version in versions]
    assert numbers == sorted(numbers)
    assert numbers[0] == 0
    assert len(set(numbers)) == len(numbers)
