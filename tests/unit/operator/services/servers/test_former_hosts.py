"""What a former host holds is freed by its agent's answer, and by nothing else."""

from kilonova_api.instance import Instance
from kilonova_api.kube.resources import NAMESPACE, Key
from kilonova_api.names import host_namespace
from kilonova_api.server_status import Fault
from kilonova_operator.domain.servers.actions import END_FORMER
from support.fake_agent import FakeDomain
from support.lab_checks import check_nothing_is_left
from support.server_lab import ServerLab
from support.servers import reason_of


def refuses_once(instance: Instance) -> Fault | None:
    """The first host cannot build the guest; another one can."""
    first = instance.spec.placement_generation == 1
    return Fault(reason="DiskFull", message="full", retryable=True) if first else None


async def test_an_order_lost_with_a_former_hosts_namespace_is_given_again() -> None:
    lab = ServerLab()
    lab.fault = refuses_once
    key = lab.create_server()
    while not lab.instances():
        await lab.step()
    former = lab.instances()[0].spec.host
    while lab.instances()[0].status.fault is None:
        await lab.step()
    lab.silent_hosts.add(former)
    await lab.run(seconds=5)
    assert len(lab.api.claims) == 2
    lab.lose_namespace(former)
    lab.cluster.put(NAMESPACE, {"metadata": {"name": host_namespace(former)}})
    lab.set_host_state(former, "Up")
    await lab.run(seconds=60)
    assert lab.server(key).status.state == "ACTIVE"
    assert len(lab.api.claims) == 1, "what the former host held is given back"
    lab.delete_server(key)
    await lab.run(seconds=60)
    check_nothing_is_left(lab)


async def moved_from(lab: ServerLab) -> tuple[Key, Instance]:
    """A Server that moved; its former host, now silent, keeps a domain."""
    lab.fault = refuses_once
    key = lab.create_server()
    while not lab.instances() or lab.instances()[0].status.fault is None:
        await lab.step()
    (former,) = lab.instances()
    lab.hosts[former.spec.host].domains[former.metadata.name] = FakeDomain(
        placement_generation=1, build_id=former.spec.build_id, running=True
    )
    return key, former


def take_away(lab: ServerLab, instance: Instance) -> None:
    """A careless hand deletes the Instance."""
    lab.cluster.vanish("Instance", Key.of_object(instance.wire()))


async def check_only_its_agent_frees_the_former_host(
    lab: ServerLab, key: Key, former: Instance
) -> None:
    host, name = former.spec.host, former.metadata.name
    await lab.run(seconds=120)
    assert name in lab.hosts[host].domains, "nobody was told to end it"
    assert {held.host for held in lab.api.claims.values()} >= {host}
    lab.set_host_state(host, "Up")
    await lab.run(seconds=120)
    assert lab.hosts[host].domains == {}
    assert len(lab.api.claims) == 1
    assert lab.server(key).status.state == "ACTIVE"
    lab.delete_server(key)
    await lab.run(seconds=120)
    check_nothing_is_left(lab)


async def test_a_former_order_deleted_before_its_end_was_ordered_proves_nothing() -> (
    None
):
    lab = ServerLab()
    key, former = await moved_from(lab)
    lab.set_host_state(former.spec.host, "Down")
    while len(lab.api.claims) == 1:
        await lab.step()
    assert all(i.spec.destroy is None for i in lab.instances())
    take_away(lab, former)
    await check_only_its_agent_frees_the_former_host(lab, key, former)


async def test_an_order_to_end_taken_from_a_silent_former_host_proves_nothing() -> None:
    lab = ServerLab()
    key, former = await moved_from(lab)
    lab.set_host_state(former.spec.host, "Down")
    await lab.run(seconds=5)
    assert lab.instances()[0].spec.destroy or lab.instances()[1].spec.destroy
    take_away(lab, former)
    await check_only_its_agent_frees_the_former_host(lab, key, former)


async def test_a_deleted_former_order_of_a_host_that_is_up_is_ended_there() -> None:
    lab = ServerLab()
    key, former = await moved_from(lab)
    host = former.spec.host
    lab.silent_hosts.add(host)
    while len(lab.api.claims) == 1:
        await lab.step()
    take_away(lab, former)
    lab.set_host_state(host, "Up")
    await lab.run(seconds=60)
    assert lab.hosts[host].destroyed == [former.metadata.name]
    assert lab.hosts[host].domains == {}
    assert len(lab.api.claims) == 1
    lab.delete_server(key)
    await lab.run(seconds=60)
    check_nothing_is_left(lab)


async def test_a_delete_that_waits_for_a_former_host_names_it() -> None:
    lab = ServerLab()
    lab.fault = refuses_once
    key = lab.create_server()
    while not lab.instances() or lab.instances()[0].status.fault is None:
        await lab.step()
    former = lab.instances()[0].spec.host
    lab.silent_hosts.add(former)
    await lab.run(seconds=5)
    lab.lose_namespace(former)
    lab.delete_server(key)
    await lab.run(seconds=30)
    server = lab.server(key)
    assert reason_of(server) == "Deleting"
    assert f"host {former} has" in server.status.conditions[0].message


async def test_the_end_on_a_former_host_stands_in_the_guests_history() -> None:
    lab = ServerLab(hosts=("hv1", "hv2", "hv3"))
    lab.fault = lambda i: Fault(
        reason="DiskFull", message="full", retryable=i.spec.placement_generation == 1
    )
    key = lab.create_server()
    while not lab.instances() or lab.instances()[0].status.fault is None:
        await lab.step()
    former = lab.instances()[0].spec.host
    lab.set_host_state(former, "Down")
    await lab.run(seconds=30)
    (end,) = [a for a in lab.cell.actions.values() if a.action == END_FORMER]
    assert lab.server(key).status.state == "ERROR"
    assert end.finished_at is None, "the fault is another host's"
    lab.set_host_state(former, "Up")
    await lab.run(seconds=30)
    (end,) = [a for a in lab.cell.actions.values() if a.action == END_FORMER]
    assert end.finished_at is not None
    assert [(e.host, e.result) for e in end.events] == [(former, "Success")]
    assert len(lab.api.claims) == 1


async def test_the_order_to_end_on_a_former_host_outlives_a_retained_server() -> None:
    lab = ServerLab()
    lab.fault = refuses_once
    key = lab.create_server(deletion={"policy": "Retain"})
    while not lab.instances() or lab.instances()[0].status.fault is None:
        await lab.step()
    (former,) = lab.instances()
    lab.silent_hosts.add(former.spec.host)
    await lab.run(seconds=30)
    assert lab.server(key).status.state == "ACTIVE"
    lab.delete_server(key)
    await lab.run(seconds=30)
    (left,) = lab.instances()
    assert left.spec.host == former.spec.host
    assert left.spec.destroy is not None
    lab.set_host_state(former.spec.host, "Up")
    await lab.run(seconds=30)
    assert lab.instances() == []


async def refused(lab: ServerLab) -> tuple[Key, Instance]:
    """A Server whose first host just refused it; no other was claimed yet."""
    lab.fault = refuses_once
    key = lab.create_server()
    while not lab.instances() or lab.instances()[0].status.fault is None:
        await lab.step()
    return key, lab.instances()[0]


def take_back_that_it_is_off(lab: ServerLab, instance: Instance) -> None:
    """Let a fault stand without its agent's word that nothing runs."""
    key = Key.of_object(instance.wire())
    del lab.cluster.objects["Instance", key]["status"]["powerState"]


async def test_an_ordinary_refusal_waits_for_nothing() -> None:
    lab = ServerLab()
    key, former = await refused(lab)
    lab.silent_hosts.add(former.spec.host)
    await lab.run()
    assert lab.server(key).status.state == "ACTIVE"
    assert len(lab.instances()) == 2, "the former host has not even heard of its end"


async def test_no_other_host_builds_before_the_former_one_is_proven_idle() -> None:
    lab = ServerLab()
    key, former = await refused(lab)
    host, name = former.spec.host, former.metadata.name
    # libvirtd ended in the middle of the start: there is a fault, and a guest.
    take_back_that_it_is_off(lab, former)
    lab.hosts[host].domains[name] = FakeDomain(
        placement_generation=1, build_id=former.spec.build_id, running=True
    )
    lab.silent_hosts.add(host)
    await lab.run(seconds=300)
    assert list(lab.domains) == [(host, name)]
    assert [i.spec.host for i in lab.instances()] == [host]
    server = lab.server(key)
    assert reason_of(server, "Reconciling") == "FormerHostUnproven"
    assert host in server.status.conditions[0].message
    lab.set_host_state(host, "Up")
    await lab.run(seconds=30)
    assert lab.hosts[host].destroyed == [name]
    assert lab.server(key).status.state == "ACTIVE"
    assert reason_of(lab.server(key), "Reconciling") is None
    lab.delete_server(key)
    await lab.run(seconds=60)
    check_nothing_is_left(lab)


async def test_a_server_whose_former_host_is_unproven_can_be_deleted() -> None:
    lab = ServerLab()
    key, former = await refused(lab)
    take_back_that_it_is_off(lab, former)
    lab.silent_hosts.add(former.spec.host)
    await lab.run(seconds=30)
    lab.delete_server(key)
    await lab.run(seconds=30)
    assert {held.host for held in lab.api.claims.values()} >= {former.spec.host}
    lab.set_host_state(former.spec.host, "Up")
    await lab.run(seconds=60)
    check_nothing_is_left(lab)
