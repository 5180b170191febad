"""Two machines that swap their names: real guests go on, and nobody obeys.

Every way to be another host, on a hypervisor in memory: tests/unit/agent.
"""

from kilonova_api.compute_host import ComputeHost
from kilonova_api.instance import Instance
from kilonova_operator.domain.hosts.identity import Identity, judge_identity
from support.agent_lab import AgentLab
from support.agent_passes import look_again
from support.libvirt_host import LibvirtHost

from .conftest import Pair


async def make_guests(lab: AgentLab) -> list[Instance]:
    image = lab.images.add_disk()
    made = [await lab.order(image=image) for _ in range(2)]
    return [await lab.until_state(instance, "ACTIVE") for instance in made]


async def swap(pair: Pair) -> None:
    """Each machine comes up under the other's Node, which stays the same."""
    for lab in pair:
        await lab.kill_agent()
    pair[0].host, pair[1].host = pair[1].host, pair[0].host


def starts_of(machine: LibvirtHost) -> dict[str, int]:
    """libvirt's number of this very start of each guest."""
    with machine.connection() as connection:
        return {d.UUIDString(): d.ID() for d in connection.listAllDomains()}


def folders_of(machine: LibvirtHost) -> list[str]:
    return sorted(
        f"{folder}/{path.name}"
        for folder in ("bin", "instances")
        for path in (machine.state_dir / folder).iterdir()
    )


async def test_machines_that_swap_names_start_stop_destroy_and_build_nothing(
    pair: Pair,
) -> None:
    guests = [await make_guests(lab) for lab in pair]
    machines = {lab.host.name: lab.host for lab in pair}
    before = {n: (starts_of(m), folders_of(m)) for n, m in machines.items()}
    await swap(pair)
    for lab, (doomed, stopped) in zip(pair, guests, strict=True):
        await lab.destroy(doomed)
        await lab.change(stopped, powerState="Stopped", serverGeneration=2)
        lab.start_agent()

    for lab, mine in zip(pair, guests, strict=True):
        for instance in mine:
            await lab.until_reason(instance, "HostReinstalled")
        fresh = await lab.order(image=lab.images.add_disk("new"))
        await look_again(lab, passes=3, at=fresh)
        await check_identity_changed(lab)

    after = {n: (starts_of(m), folders_of(m)) for n, m in machines.items()}
    assert after == before

    # Back under their own names they obey the very same orders.
    await swap(pair)
    for lab, (doomed, stopped) in zip(pair, guests, strict=True):
        lab.settings = {"shutdown_timeout_seconds": 1, "shutdown_retry_seconds": 0.5}
        lab.start_agent()
        await lab.until_gone(doomed)
        await lab.until_state(stopped, "SHUTOFF")


async def check_identity_changed(lab: AgentLab) -> None:
    """See that the conductor, by its own rule, holds the host."""
    status = (await lab.until_host(_tells_another_id)).status
    assert status.agent is not None
    judged = judge_identity(
        Identity(status.host_id or "", status.node_uid or ""),
        reported=Identity(status.agent.host_id, status.agent.node_uid or ""),
        node_uid=f"uid-{lab.node}",
        accepted=None,
    )
    assert judged.verdict == "Changed"


def _tells_another_id(host: ComputeHost) -> bool:
    agent = host.status.agent
    return agent is not None and agent.host_id != host.status.host_id
