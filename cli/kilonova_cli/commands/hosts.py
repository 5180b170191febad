"""``kubectl nova host``: hypervisor hosts."""

from collections.abc import Iterator
from typing import Annotated

import typer

from kilonova_api.compute_host import ComputeHost
from kilonova_api.host_report import AgentReport
from kilonova_cli.ages import tell_age
from kilonova_cli.completion_sources import complete_hosts
from kilonova_cli.objects import read
from kilonova_cli.options import Session, add_command
from kilonova_cli.output import Grid

app = typer.Typer(no_args_is_help=True, help="Hypervisor hosts.")

_HEADINGS = (
    "NAME",
    "STATE",
    "SCHED",
    "CELL",
    "ZONE",
    "SERVERS",
    "VCPU",
    "RAM",
    "VIRT",
    "AGENT",
    "AGE",
    "WHY",
)
_SHOWN_TRAITS = 12


@add_command(app, "list", namespaced=False)
def list_hosts(
    session: Session,
    *,
    cell: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only hosts of this cell.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only hosts of this zone.")
    ] = None,
) -> None:
    """List hosts: whether they answer, take Servers, and what is in use."""
    found = [
        (obj, host)
        for obj in session.cluster.list(ComputeHost.resource())
        if (host := read(ComputeHost, obj))
        and cell in (None, host.status.cell)
        and zone in (None, host.status.zone)
    ]
    if not session.out.for_people:
        session.out.objects([obj for obj, _ in found])
        return
    rows = [_build_row(host) for _, host in found]
    session.out.grid(Grid(_HEADINGS, rows, frozenset({"SERVERS"})))


@add_command(app, "show", namespaced=False)
def show_host(
    session: Session,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The host.", autocompletion=complete_hosts),
    ],
) -> None:
    """Show a host: identity, use, hardware, what an admin set."""
    obj = session.cluster.get(ComputeHost.resource(), name)
    if not session.out.for_people:
        session.out.data(obj)
        return
    host = read(ComputeHost, obj)
    session.out.facts(_list_facts(host))
    if host.status.agent is not None:
        session.out.facts(_list_hardware(host.status.agent))
    if host.status.conditions:
        session.out.line()
        conditions = [
            (c.type, c.status, c.reason, c.message) for c in host.status.conditions
        ]
        session.out.grid(Grid(("CONDITION", "STATUS", "REASON", "MESSAGE"), conditions))


def tell_why(host: ComputeHost) -> str:
    """Return why a host takes no Servers; empty if it does."""
    if host.spec.disabled:
        return host.spec.disabled_reason or "Disabled"
    ready = host.status.condition("Ready")
    return ready.reason if ready is not None and ready.status != "True" else ""


def _build_row(host: ComputeHost) -> tuple[object, ...]:
    status, agent = host.status, host.status.agent
    return (
        host.metadata.name,
        status.state,
        status.scheduling,
        status.cell,
        status.zone,
        status.servers,
        status.vcpus,
        status.memory,
        agent.virt_type if agent else None,
        agent.agent_version if agent else None,
        tell_age(host.metadata.creation_timestamp),
        tell_why(host),
    )


def _list_facts(host: ComputeHost) -> Iterator[tuple[str, object]]:
    spec, status = host.spec, host.status
    yield "Host", host.metadata.name
    yield "State", status.state
    yield "Scheduling", status.scheduling
    yield "Why", tell_why(host)
    yield "Cell", status.cell
    yield "Zone", status.zone
    yield "Servers", status.servers
    yield "VCPU", status.vcpus
    yield "RAM", status.memory
    yield "Forced down", "yes" if spec.forced_down else None
    if spec.reserved is not None:
        yield "Reserved", _join(spec.reserved.wire())
    if spec.allocation_ratios is not None:
        yield "Allocation ratios", _join(spec.allocation_ratios.wire())
    if spec.cpu is not None:
        yield "CPU sets", _join(spec.cpu.wire())
    yield "Own traits", ", ".join(spec.traits)
    yield (
        "Own resources",
        ", ".join(f"{r.resource_class}={r.total}" for r in spec.resources),
    )
    yield "Namespace", status.namespace
    yield "Host id", status.host_id


def _list_hardware(agent: AgentReport) -> Iterator[tuple[str, object]]:
    yield "Agent", agent.agent_version
    yield "Virtualisation", agent.virt_type
    if agent.cpu is not None:
        cpu = agent.cpu
        yield "CPU", f"{cpu.cores} x {cpu.model or cpu.arch} ({cpu.arch})"
    yield "Memory", f"{agent.memory_mib} MiB"
    yield "Disk", f"{agent.disk_gib} GiB"
    for cell in agent.numa_cells:
        pools = ", ".join(f"{pool.total} x {pool.size}" for pool in cell.page_pools)
        text = f"CPUs {cell.cpus}, {cell.memory_mib} MiB"
        yield f"NUMA cell {cell.id}", f"{text}, pages {pools}" if pools else text
    more = len(agent.traits) - _SHOWN_TRAITS
    shown = ", ".join(agent.traits[:_SHOWN_TRAITS])
    yield "Traits", f"{shown} and {more} more" if more > 0 else shown


def _join(values: dict[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items() if value)
