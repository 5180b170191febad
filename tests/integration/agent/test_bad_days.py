"""What must not happen to guests when information is missing, old or wrong."""

import asyncio
import json
import shutil
from typing import Any

import libvirt
import orjson
import pytest

from kilonova_api.instance import Instance
from support.agent_lab import AgentLab
from support.agent_passes import look_again, until_unheard
from support.instances import make_instance, make_nic_body
from support.waiting import until

RUNNING = libvirt.VIR_DOMAIN_RUNNING


async def test_an_instance_that_vanished_orders_nothing(lab: AgentLab) -> None:
    instance = await _make_active(lab)

    await lab.delete_object(instance)

    host = await lab.until_host(lambda h: _unknown(h) == (1, 1, 16))
    assert host.status.agent is not None
    assert lab.host.domain_states() == {instance.metadata.name: RUNNING}
    again = await lab.order(_same(lab, instance))
    whole = await lab.until_state(again, "ACTIVE")
    assert whole.status.built_at == instance.status.built_at
    await lab.until_host(lambda h: _unknown(h) == (0, 0, 0))
    assert lab.host.domain_states() == {instance.metadata.name: RUNNING}


async def test_a_guest_whose_instance_vanished_still_says_its_address(
    lab: AgentLab,
) -> None:
    nic = make_nic_body(address="10.20.0.77")
    body = make_instance(host=lab.node, image=lab.images.add_disk(), networks=[nic])
    instance = await lab.until_state(await lab.order(body), "ACTIVE")

    await lab.delete_object(instance)

    host = await lab.until_host(lambda h: _unknown(h) == (1, 1, 16))
    assert host.status.agent is not None
    assert host.status.agent.unknown_addresses == ("10.20.0.77",)
    again = await lab.order(_same(lab, instance))
    await lab.until_state(again, "ACTIVE")
    host = await lab.until_host(lambda h: _unknown(h) == (0, 0, 0))
    assert host.status.agent is not None
    assert host.status.agent.unknown_addresses == ()


async def test_a_deletion_timestamp_is_no_order(lab: AgentLab) -> None:
    body = make_instance(host=lab.node, image=lab.images.add_disk())
    body["metadata"]["finalizers"] = ["example.com/held"]
    instance = await lab.order(body)
    await lab.until_state(instance, "ACTIVE")

    await lab.delete_object(instance)
    await lab.restart_agent()
    await look_again(lab, passes=3)

    assert lab.host.domain_states() == {instance.metadata.name: RUNNING}
    operations = [
        {"op": "test", "path": "/metadata/uid", "value": instance.metadata.uid},
        {"op": "remove", "path": "/metadata/finalizers"},
    ]
    await lab.kube.json_patch(
        Instance.resource(), lab.namespace, instance.metadata.name, operations
    )


async def test_the_api_server_away_harms_no_guest(
    own_lab: AgentLab,
) -> None:
    instance = await _make_active(own_lab)
    server = own_lab.control_plane.apiserver

    await asyncio.to_thread(server.kill)
    await own_lab.restart_agent()
    await until_unheard(own_lab)
    assert own_lab.host.domain_states() == {instance.metadata.name: RUNNING}
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.wait_until_ready)

    await own_lab.destroy(instance)
    await own_lab.until_gone(instance)


async def test_orders_from_the_past_are_not_acted_on(lab: AgentLab) -> None:
    body = make_instance(
        host=lab.node,
        image=lab.images.add_disk(),
        placementGeneration=4,
        serverGeneration=7,
        writer=5,
    )
    instance = await lab.order(body)
    await lab.until_state(instance, "ACTIVE")
    for past in ({"placementGeneration": 3}, {"serverGeneration": 6}, {"writer": 4}):
        await lab.delete_object(await _read(lab, instance))
        old = make_instance(host=lab.node, name=instance.metadata.name)
        old["spec"] |= body["spec"] | {"powerState": "Stopped"} | past

        instance = await lab.order(old)

        await lab.until_reason(instance, "OrderFromThePast")
        assert lab.host.domain_states() == {instance.metadata.name: RUNNING}


async def test_a_deleted_guest_does_not_rise_again_from_a_backup(
    lab: AgentLab,
) -> None:
    instance = await _make_active(lab)
    await lab.destroy(instance)
    await lab.until_gone(instance)

    risen = await lab.order(_same(lab, instance))

    await lab.until_reason(risen, "OrderFromThePast")
    assert lab.host.domain_states() == {}
    assert not lab.files(instance).exists()
    await lab.destroy(risen)
    await lab.until_gone(risen)


async def test_a_guest_placed_here_once_more_is_built_anew(lab: AgentLab) -> None:
    instance = await _make_active(lab)
    await lab.destroy(instance)
    await lab.until_gone(instance)
    body = _same(lab, instance)
    body["spec"] |= {"placementGeneration": 2, "buildId": "b2"}

    back = await lab.order(body)

    status = (await lab.until_state(back, "ACTIVE")).status
    assert (status.build_id, status.placement_generation) == ("b2", 2)


async def test_an_old_agent_leaves_the_guest_alone(idle_lab: AgentLab) -> None:
    idle_lab.start_agent()
    await idle_lab.accept_host()
    instance = await _make_active(idle_lab)
    await idle_lab.change(instance, minAgentVersion="0.2.0", powerState="Stopped")

    await idle_lab.until_reason(instance, "AgentTooOld")
    await idle_lab.destroy(instance)
    await idle_lab.restart_agent()
    await look_again(idle_lab, passes=3)

    assert idle_lab.host.domain_states() == {instance.metadata.name: RUNNING}
    idle_lab.version = "0.2.0"
    await idle_lab.restart_agent()
    await idle_lab.until_gone(instance)


async def test_a_lost_disk_is_not_built_again(lab: AgentLab) -> None:
    instance = await _make_active(lab)
    await lab.kill_agent()
    with lab.host.connection() as connection:
        domain = connection.lookupByUUIDString(instance.metadata.name)
        domain.destroy()
        domain.undefine()
    (lab.files(instance) / "disk.qcow2").unlink()

    lab.start_agent()

    lost = await lab.until_reason(instance, "DiskLost")
    assert lost.status.state == "ERROR"
    assert lost.status.is_true("Stalled")
    assert lab.host.domain_states() == {}
    assert not (lab.files(instance) / "disk.qcow2").exists()


async def test_a_reinstalled_host_waits_for_a_person_disks_lost(lab: AgentLab) -> None:
    instance = await _make_active(lab)
    await _reinstall(lab, keep_instances=False)

    lab.start_agent()

    await lab.until_reason(instance, "HostReinstalled")
    assert lab.host.domain_states() == {}
    await _accept(lab, "Lost")
    lost = await lab.until_reason(instance, "DiskLost")
    assert lost.status.state == "ERROR"
    assert lab.host.domain_states() == {}
    assert not lab.files(instance).exists()
    # The host is whole again for new guests.
    await lab.until_state(await lab.order(image=lab.images.add_disk("n")), "ACTIVE")


async def test_a_reinstalled_host_goes_on_with_disks_that_were_kept(
    lab: AgentLab,
) -> None:
    instance = await _make_active(lab)
    disk = lab.files(instance) / "disk.qcow2"
    await _reinstall(lab, keep_instances=True)
    inode = disk.stat().st_ino

    lab.start_agent()
    await lab.until_reason(instance, "HostReinstalled")
    assert lab.host.domain_states() == {}
    await _accept(lab, "Kept")

    back = await lab.until_state(instance, "ACTIVE")
    assert back.status.built_at == instance.status.built_at
    assert disk.stat().st_ino == inode


async def test_a_new_node_uid_under_the_old_name_is_hands_off(lab: AgentLab) -> None:
    instance = await _make_active(lab)
    await lab.kill_agent()
    lab.settings = {"node_uid": "uid-of-another-node"}

    lab.start_agent()

    await lab.until_reason(instance, "HostReinstalled")
    assert lab.host.domain_states() == {instance.metadata.name: RUNNING}


async def test_lost_orders_make_a_new_host_of_it(lab: AgentLab) -> None:
    instance = await _make_active(lab)
    before = (lab.host.state_dir / "host-id").read_text()
    await lab.kill_agent()
    (lab.host.state_dir / "orders.json").write_text("{")

    lab.start_agent()

    await lab.until_reason(instance, "HostReinstalled")
    assert (lab.host.state_dir / "host-id").read_text() != before
    assert lab.host.domain_states() == {instance.metadata.name: RUNNING}
    await _accept(lab, "Kept")
    await lab.until_state(instance, "ACTIVE")


async def test_a_store_that_went_back_freezes_its_orders(own_lab: AgentLab) -> None:
    body = make_instance(host=own_lab.node, image=own_lab.images.add_disk())
    instance = await own_lab.order(body)
    await own_lab.until_state(instance, "ACTIVE")
    backup = own_lab.host.folder / "backup"
    control_plane = own_lab.control_plane
    await asyncio.to_thread(control_plane.save_store, backup)
    for number in range(3):  # today's history, which yesterday's store lacks
        await own_lab.change(instance, metadata={"n": str(number)})
    await own_lab.until_status(
        instance, lambda i: i.status.observed_generation == i.metadata.generation
    )
    await own_lab.kill_agent()
    # What the agent notes once a minute.
    found = await own_lab.kube.list(Instance.resource(), own_lab.namespace)
    _note_version(own_lab, int(found.resource_version))

    await asyncio.to_thread(control_plane.restore_store, backup)
    own_lab.start_agent()
    assert own_lab.agent_task is not None
    with pytest.raises(Exception, match="went back"):
        async with asyncio.timeout(30):
            await own_lab.agent_task
    own_lab.agent_task = None
    own_lab.start_agent()

    await own_lab.until_reason(instance, "StoreWentBack")
    await own_lab.change(instance, powerState="Stopped")
    await own_lab.restart_agent()
    await own_lab.until_host(
        lambda h: (
            h.status.agent is not None
            and any(c.type == "StoreWentBack" for c in h.status.agent.conditions)
        )
    )
    assert own_lab.host.domain_states() == {instance.metadata.name: RUNNING}
    await own_lab.change(instance, writer=2, powerState="Manual", serverGeneration=2)
    await own_lab.until_reason(instance, "Running")


async def test_a_foreign_domain_under_our_uuid_is_left_alone(lab: AgentLab) -> None:
    body = make_instance(host=lab.node, image=lab.images.add_disk())
    with lab.host.connection() as connection:
        connection.createXML(
            f"<domain type='qemu'><name>foreign</name>"
            f"<uuid>{body['metadata']['name']}</uuid><vcpu>2</vcpu>"
            "<memory unit='MiB'>16</memory><os><type>hvm</type></os></domain>"
        )
    await lab.until_host(lambda h: _unknown(h) == (1, 2, 16))

    instance = await lab.order(body)

    await lab.until_reason(instance, "DomainExists")
    await lab.destroy(instance)
    await lab.until_status(
        instance, lambda i: i.status.observed_generation == i.metadata.generation
    )
    assert list(lab.host.domain_states().values()) == [RUNNING]


async def test_a_host_without_libvirt_says_so_and_heals(
    own_host_lab: AgentLab,
) -> None:
    lab = own_host_lab
    instance = await _make_active(lab)

    lab.host.kill_libvirtd()
    host = await lab.until_host(_has_condition("HypervisorUnavailable"))
    assert host.status.agent is not None
    assert host.status.agent.memory_mib > 0
    await asyncio.to_thread(lab.host.start_libvirtd)

    await lab.until_host(lambda h: not _has_condition("HypervisorUnavailable")(h))
    assert lab.host.domain_states() == {instance.metadata.name: RUNNING}


async def test_a_skewed_clock_is_a_condition_and_stops_age_outs(
    idle_lab: AgentLab,
) -> None:
    idle_lab.skew_seconds = -31.0
    idle_lab.start_agent()
    await idle_lab.until_host(_has_condition("ClockSkewed"))
    idle_lab.skew_seconds = 29.0
    await idle_lab.until_host(lambda h: not _has_condition("ClockSkewed")(h))


async def test_a_missing_bridge_names_a_fault_that_another_host_may_cure(
    lab: AgentLab,
) -> None:
    nic = make_nic_body(type="Bridge", bridge="br-none", portSecurity=False)

    instance = await lab.order(image=lab.images.add_disk(), networks=[nic])

    failed = await lab.until_reason(instance, "BridgeNotFound")
    assert failed.status.fault is not None
    assert failed.status.fault.retryable
    assert failed.status.power_state == "Shutdown"
    assert failed.status.built_at is None
    await lab.destroy(instance)
    await lab.until_gone(instance)
    assert lab.host.domain_states() == {}


async def test_a_disk_bigger_than_the_flavor_is_too_large(lab: AgentLab) -> None:
    image = lab.images.add_disk("big.qcow2", size="2G")
    flavor = {"vcpus": 1, "ramMiB": 16, "rootGiB": 1}

    instance = await lab.order(image=image, flavor=flavor)

    failed = await lab.until_reason(instance, "ImageTooLarge")
    assert failed.status.fault is not None
    assert not failed.status.fault.retryable
    assert not lab.files(instance).exists()


async def test_two_agents_on_one_host_are_one_too_many(lab: AgentLab) -> None:
    await until(lambda: lab.agent is not None and lab.agent.ready, "the agent is ready")
    first = lab.agent_task
    lab.start_agent()
    second, lab.agent_task = lab.agent_task, first
    assert second is not None
    with pytest.raises(Exception, match="another agent"):
        await second


async def _make_active(lab: AgentLab) -> Instance:
    instance = await lab.order(image=lab.images.add_disk())
    return await lab.until_state(instance, "ACTIVE")


async def _read(lab: AgentLab, instance: Instance) -> Instance:
    found = await lab.read(instance)
    assert found is not None
    return found


def _same(lab: AgentLab, instance: Instance) -> dict[str, Any]:
    body = make_instance(host=lab.node, name=instance.metadata.name)
    body["spec"] |= {"image": instance.spec.image.wire()}
    return body


async def _reinstall(lab: AgentLab, *, keep_instances: bool) -> None:
    """Wipe the host: its guests, their definitions, the agent's memory."""
    await lab.kill_agent()
    with lab.host.connection() as connection:
        for domain in connection.listAllDomains():
            domain.destroy()
            domain.undefine()
    for path in lab.host.state_dir.iterdir():
        if keep_instances and path.name in {"instances", "images"}:
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


async def _accept(lab: AgentLab, disks: str) -> None:
    """Accept the new identity, as a person and then the conductor do."""
    new = (lab.host.state_dir / "host-id").read_text().strip()
    # The Instances may say what happened before the ComputeHost does.
    host = await lab.until_host(
        lambda host: host.status.agent is not None and host.status.agent.host_id == new
    )
    assert host.status.agent is not None
    accept = {"hostId": host.status.agent.host_id, "disks": disks}
    await lab.kube.apply_existing(
        type(host).resource(),
        {"metadata": {"name": lab.node}, "spec": {"acceptIdentity": accept}},
        uid=host.metadata.uid,
        field_manager="person",
    )
    await lab.accept_host()


def _note_version(lab: AgentLab, version: int) -> None:
    path = lab.host.state_dir / "orders.json"
    data = json.loads(path.read_bytes())
    path.write_bytes(orjson.dumps(data | {"highestVersion": version}))


def _unknown(host: Any) -> tuple[int, int, int] | None:
    agent = host.status.agent
    if agent is None:
        return None
    return agent.unknown_domains, agent.unknown_vcpus, agent.unknown_memory_mib


def _has_condition(type_: str) -> Any:
    def check(host: Any) -> bool:
        agent = host.status.agent
        return agent is not None and any(c.type == type_ for c in agent.conditions)

    return check
