"""A guest's life by its Instance: real API server, real libvirt."""

import io
import json
from typing import Any

import libvirt
import pycdlib
import pytest

from kilonova_agent.services import build_reports
from kilonova_api.instance import Instance
from support.agent_lab import AgentLab
from support.agent_passes import look_again
from support.instances import make_instance, make_nic_body, make_user_data


async def test_an_order_becomes_a_running_guest_by_one_write(
    idle_lab: AgentLab,
) -> None:
    lab = idle_lab
    lab.settings = {"build_report_after_seconds": 60}  # however busy the machine is
    lab.start_agent()
    await lab.accept_host()
    image = lab.images.add_disk()

    instance = await lab.order(image=image, networks=[make_nic_body()])
    active = await lab.until_state(instance, "ACTIVE")

    status = active.status
    assert status.is_true("Ready")
    assert status.power_state == "Running"
    assert status.placement_generation == 1
    assert (status.build_id, status.agent_version) == ("b1", "0.1.0")
    assert status.built_at is not None
    assert status.launched_at is not None
    assert status.observed_generation == active.metadata.generation
    running = {instance.metadata.name: libvirt.VIR_DOMAIN_RUNNING}
    assert lab.host.domain_states() == running
    assert [b["verb"] for b in _writes(lab, instance)] == ["patch"]


async def test_a_destroy_order_leaves_nothing_but_the_bin(lab: AgentLab) -> None:
    image = lab.images.add_disk()
    instance = await lab.order(image=image, networks=[make_nic_body()])
    await lab.until_state(instance, "ACTIVE")

    await lab.destroy(instance)
    await lab.until_gone(instance)

    assert lab.host.domain_states() == {}
    assert not lab.files(instance).exists()
    (binned,) = (lab.host.state_dir / "bin").iterdir()
    assert (binned / "disk.qcow2").exists()
    with lab.host.connection() as connection:
        for network in connection.listAllNetworks():
            assert "fa:16:3e:00:00:05" not in network.XMLDesc(0)


async def test_an_order_to_an_older_generation_destroys_nothing(lab: AgentLab) -> None:
    image = lab.images.add_disk()
    instance = await lab.order(image=image, placementGeneration=3)
    await lab.until_state(instance, "ACTIVE")

    await lab.destroy(instance, generation=2)

    await lab.until_reason(instance, "OrderFromThePast")
    assert list(lab.host.domain_states().values()) == [libvirt.VIR_DOMAIN_RUNNING]


async def test_stopped_asks_the_guest_and_then_cuts_its_power(
    idle_lab: AgentLab,
) -> None:
    idle_lab.settings = {"shutdown_timeout_seconds": 2, "shutdown_retry_seconds": 0.5}
    idle_lab.start_agent()
    await idle_lab.accept_host()
    instance = await idle_lab.order(image=idle_lab.images.add_disk())
    await idle_lab.until_state(instance, "ACTIVE")

    await idle_lab.change(instance, powerState="Stopped", serverGeneration=2)

    await idle_lab.until_reason(instance, "Stopping")
    off = await idle_lab.until_state(instance, "SHUTOFF")
    assert off.status.is_true("Ready")
    assert off.status.power_state == "Shutdown"


async def test_stopped_from_the_start_builds_a_guest_that_is_off(lab: AgentLab) -> None:
    instance = await lab.order(image=lab.images.add_disk(), powerState="Stopped")

    off = await lab.until_state(instance, "SHUTOFF")

    assert off.status.built_at is not None
    assert off.status.launched_at is None
    await lab.change(instance, powerState="Running", serverGeneration=2)
    await lab.until_state(instance, "ACTIVE")


async def test_manual_follows_a_guest_that_went_off(lab: AgentLab) -> None:
    instance = await lab.order(image=lab.images.add_disk())
    await lab.until_state(instance, "ACTIVE")

    _power_off(lab, instance.metadata.name)

    off = await lab.until_state(instance, "SHUTOFF")
    assert off.status.is_true("Ready")
    await lab.restart_agent()
    await look_again(lab, passes=3)
    assert list(lab.host.domain_states().values()) == [libvirt.VIR_DOMAIN_SHUTOFF]


async def test_running_starts_a_guest_that_went_off_again(lab: AgentLab) -> None:
    instance = await lab.order(image=lab.images.add_disk(), powerState="Running")
    await lab.until_state(instance, "ACTIVE")

    _power_off(lab, instance.metadata.name)

    await lab.until_reason(instance, "Starting")
    await lab.until_state(instance, "ACTIVE")


async def test_user_data_is_awaited_and_reaches_the_config_drive(lab: AgentLab) -> None:
    body = make_instance(host=lab.node, image=lab.images.add_disk())
    secret = make_user_data(body, b"#!/bin/sh\necho <&>\n")

    instance = await lab.order(body)
    await lab.until_reason(instance, "WaitingForSecret")
    await lab.write_secret(secret)
    await lab.until_state(instance, "ACTIVE")

    drive = (lab.files(instance) / "disk.config").read_bytes()
    assert _read_iso(drive, "/openstack/latest/user_data") == (b"#!/bin/sh\necho <&>\n")
    meta = json.loads(_read_iso(drive, "/openstack/latest/meta_data.json"))
    assert (meta["uuid"], meta["project_id"]) == (instance.metadata.name, "shop")


async def test_user_data_that_comes_very_late_mends_the_guest(
    lab: AgentLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_reports, "SECRET_GRACE_SECONDS", 1.0)
    monkeypatch.setattr(build_reports, "SECRET_RETRY_MOST_SECONDS", 0.5)
    body = make_instance(host=lab.node, image=lab.images.add_disk())
    secret = make_user_data(body, b"late")

    instance = await lab.order(body)
    await lab.until_reason(instance, "SecretNotFound")
    await lab.write_secret(secret)
    await lab.until_state(instance, "ACTIVE")


async def test_a_long_download_is_told_and_serves_many_guests_once(
    lab: AgentLab,
) -> None:
    image = lab.images.add_disk()
    lab.images.gate.clear()

    instances = [await lab.order(image=image) for _ in range(3)]
    for instance in instances:
        await lab.until_status(instance, lambda i: i.status.task == "downloading")
    lab.images.gate.set()

    for instance in instances:
        await lab.until_state(instance, "ACTIVE")
    assert len(lab.images.requests) == 1


@pytest.mark.parametrize("last", ["running", "started anew"])
async def test_an_adopted_guest_goes_on_stops_and_ends(
    idle_lab: AgentLab, last: str
) -> None:
    lab = idle_lab
    lab.settings = {"shutdown_timeout_seconds": 1, "shutdown_retry_seconds": 0.5}
    lab.start_agent()
    await lab.accept_host()
    body = make_instance(host=lab.node, image=lab.images.add_disk())
    instance = await lab.order(body | {"spec": body["spec"] | {"serverGeneration": 5}})
    await lab.until_state(instance, "ACTIVE")
    domain_id = _domain_id(lab, instance.metadata.name)

    for name, uid in (("web-1", "second"), ("web-2", "third")):
        await lab.delete_object(instance)
        server = body["spec"]["server"] | {"name": name, "uid": uid}
        instance = await lab.order(body | {"spec": body["spec"] | {"server": server}})
        adopted = await lab.until_state(instance, "ACTIVE")
        assert adopted.status.is_true("Ready")
        assert _domain_id(lab, instance.metadata.name) == domain_id
        if last == "started anew":
            # Defined anew: from here on the mark names this owner.
            await lab.change(instance, powerState="Stopped", serverGeneration=2)
            await lab.until_state(instance, "SHUTOFF")
            await lab.change(instance, powerState="Running", serverGeneration=3)
            await lab.until_state(instance, "ACTIVE")
            domain_id = _domain_id(lab, instance.metadata.name)

    await lab.change(instance, powerState="Stopped", serverGeneration=4)
    await lab.until_state(instance, "SHUTOFF")
    await lab.destroy(instance)
    await lab.until_gone(instance)
    assert lab.host.domain_states() == {}


def _writes(lab: AgentLab, instance: Instance) -> list[dict[str, Any]]:
    """List the agent's writes to an Instance by the audit log."""
    events = map(json.loads, lab.audit_log.read_text().splitlines())
    return [
        event
        for event in events
        if event.get("objectRef", {}).get("name") == instance.metadata.name
        and event["objectRef"].get("subresource") == "status"
    ]


def _domain_id(lab: AgentLab, uuid: str) -> int:
    """Give the number of the domain's life; another start has another."""
    with lab.host.connection() as connection:
        number: int = connection.lookupByUUIDString(uuid).ID()
        return number


def _power_off(lab: AgentLab, uuid: str) -> None:
    with lab.host.connection() as connection:
        connection.lookupByUUIDString(uuid).destroy()


def _read_iso(content: bytes, path: str) -> bytes:
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(content))
    out = io.BytesIO()
    iso.get_file_from_iso_fp(out, rr_path=path)
    iso.close()
    return out.getvalue()
