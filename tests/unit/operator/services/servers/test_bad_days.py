"""Hosts away, hands that slip, stores that go back: no guest is harmed."""

from dataclasses import replace
from datetime import timedelta

from kilonova_api.cell import Cell
from kilonova_api.instance import Instance
from kilonova_api.kube.resources import (
    CUSTOM_RESOURCE_DEFINITION,
    NAMESPACE,
    SECRET,
    Key,
)
from kilonova_api.names import ADOPT_ANNOTATION, GROUP, host_namespace
from kilonova_api.server import Server
from kilonova_api.server_status import Fault
from kilonova_operator.services.servers.brake import (
    DELETION_BRAKE_ANNOTATION,
    RELEASE_DELETIONS_ANNOTATION,
)
from kilonova_operator.services.store_freeze import Frozen
from support.instances import make_instance
from support.lab_checks import check_nothing_is_left, check_one_guest
from support.server_lab import ServerLab
from support.servers import NAMESPACE as SHOP
from support.servers import reason_of


async def running(lab: ServerLab, name: str = "web-0") -> Key:
    key = lab.create_server(name, userData="#cloud-config\n")
    await lab.run(seconds=5)
    assert lab.server(key).status.state == "ACTIVE"
    return key


def later(lab: ServerLab) -> str:
    """Give a time after everything that exists was made."""
    return f"{lab.clock.utcnow() + timedelta(hours=1):%FT%TZ}"


def host_of(lab: ServerLab, key: Key) -> str:
    return lab.server(key).status.host or ""


# Hosts away.


async def test_a_delete_lets_the_object_go_while_its_host_is_away() -> None:
    lab = ServerLab()
    key = await running(lab)
    host = host_of(lab, key)
    lab.set_host_state(host, "Down")
    lab.delete_server(key)
    await lab.run(seconds=20)
    assert lab.find_server(key) is None
    (instance,) = lab.instances()
    assert instance.spec.destroy is not None
    assert len(lab.api.claims) == 1, "held until the guest is proven gone"
    assert list(lab.domains.values()) == [True]

    again = lab.create_server()
    await lab.run(seconds=20)
    assert reason_of(lab.server(again), "Stalled") == "DomainExists"

    lab.set_host_state(host, "Up")
    await lab.run(seconds=60)
    assert lab.server(again).status.state == "ACTIVE"
    check_one_guest_runs(lab)
    lab.delete_server(again)
    await lab.run(seconds=700)
    check_nothing_is_left(lab)


def check_one_guest_runs(lab: ServerLab) -> None:
    assert list(lab.domains.values()) == [True]
    assert len(lab.api.claims) == 1
    assert len(lab.instances()) == 1


async def test_a_host_that_is_down_makes_ready_unknown_and_changes_nothing() -> None:
    lab = ServerLab()
    key = await running(lab)
    lab.set_host_state(host_of(lab, key), "Down")
    await lab.run(seconds=1)
    server = lab.server(key)
    assert (server.status.state, reason_of(server)) == ("ACTIVE", "HostDown")
    lab.set_host_state(host_of(lab, key), "Up")
    await lab.run(seconds=1)
    assert reason_of(lab.server(key)) == "Running"


# Failed builds.


async def test_after_three_hosts_a_build_ends_in_error_with_its_fault() -> None:
    lab = ServerLab(hosts=("hv1", "hv2", "hv3", "hv4"))
    lab.fault = lambda _: Fault(reason="GuestRejected", message="no", retryable=True)
    key = lab.create_server()
    await lab.run(seconds=60)
    server = lab.server(key)
    assert server.status.state == "ERROR"
    assert reason_of(server, "Stalled") == "GuestRejected"
    assert server.status.placement_generation == 3
    assert len(lab.api.claims) == 1, "the hosts that failed gave back what they held"
    assert len(lab.instances()) == 1
    lab.delete_server(key)
    await lab.run(seconds=700)
    check_nothing_is_left(lab)


async def test_a_build_that_no_other_host_can_take_ends_in_error() -> None:
    lab = ServerLab(hosts=("hv1",))
    lab.fault = lambda _: Fault(reason="DiskFull", message="full", retryable=True)
    key = lab.create_server()
    await lab.run(seconds=30)
    server = lab.server(key)
    assert (server.status.state, reason_of(server, "Stalled")) == ("ERROR", "DiskFull")
    lab.fault = lambda _: None
    lab.add_host("hv2")
    await lab.run(seconds=30)
    server = lab.server(key)
    assert (server.status.state, server.status.host) == ("ACTIVE", "hv2")
    assert server.status.fault is None
    assert reason_of(server, "Stalled") is None


async def test_a_bad_image_is_not_tried_on_another_host() -> None:
    lab = ServerLab()
    lab.fault = lambda _: Fault(reason="ChecksumMismatch", message="other file")
    key = lab.create_server()
    await lab.run(seconds=30)
    server = lab.server(key)
    assert server.status.state == "ERROR"
    assert server.status.fault is not None
    assert server.status.fault.reason == "ChecksumMismatch"
    assert reason_of(server, "Stalled") == "ChecksumMismatch"
    assert server.status.placement_generation == 1
    assert [fault.reason for fault in lab.cell.faults] == ["ChecksumMismatch"]


# Careless hands.


async def test_a_lost_instance_is_ordered_again_without_a_new_disk() -> None:
    lab = ServerLab()
    key = await running(lab)
    (before,) = lab.instances()
    lab.cluster.vanish(
        "Instance", Key(before.metadata.namespace or "", before.metadata.name)
    )
    await lab.run(seconds=10)
    (after,) = lab.instances()
    assert after.metadata.uid != before.metadata.uid
    assert after.spec.build_id == before.spec.build_id
    check_one_guest(lab)
    assert reason_of(lab.server(key)) == "Running"
    assert len(lab.secrets) == 1


async def test_a_lost_host_namespace_is_filled_again() -> None:
    lab = ServerLab()
    key = await running(lab)
    host = host_of(lab, key)
    lab.lose_namespace(host)
    await lab.run(seconds=5)
    lab.cluster.put(NAMESPACE, {"metadata": {"name": host_namespace(host)}})
    await lab.run(seconds=5)
    check_one_guest(lab)


async def test_an_order_to_end_that_went_with_its_namespace_is_given_again() -> None:
    lab = ServerLab()
    key = await running(lab)
    host = host_of(lab, key)
    lab.silent_hosts.add(host)
    lab.delete_server(key)
    await lab.run(seconds=2)
    lab.lose_namespace(host)
    lab.cluster.put(NAMESPACE, {"metadata": {"name": host_namespace(host)}})
    await lab.run(seconds=20)
    (instance,) = lab.instances()
    assert instance.spec.destroy is not None
    assert len(lab.api.claims) == 1
    lab.set_host_state(host, "Up")
    await lab.run(seconds=700)
    check_nothing_is_left(lab)


def lose_instance(lab: ServerLab) -> None:
    """A careless hand deletes a guest's Instance; no agent was asked."""
    (instance,) = lab.instances()
    namespace = instance.metadata.namespace or ""
    lab.cluster.vanish("Instance", Key(namespace, instance.metadata.name))


async def test_a_guest_whose_instance_a_hand_deleted_is_destroyed_not_leaked() -> None:
    lab = ServerLab()
    key = await running(lab)
    lab.operator.alive = False
    lose_instance(lab)
    lab.delete_server(key)
    lab.restart_operator()
    await lab.run(seconds=700)
    check_nothing_is_left(lab)


async def test_an_order_to_end_that_a_hand_took_from_a_host_away_is_kept() -> None:
    lab = ServerLab()
    key = await running(lab)
    host = host_of(lab, key)
    lab.set_host_state(host, "Down")
    lab.delete_server(key)
    await lab.run(seconds=20)
    lose_instance(lab)
    await lab.run(seconds=120)
    (instance,) = lab.instances()
    assert instance.spec.destroy is not None, "ordered again for the host's return"
    assert len(lab.api.claims) == 1
    assert list(lab.domains.values()) == [True]
    lab.set_host_state(host, "Up")
    await lab.run(seconds=700)
    check_nothing_is_left(lab)


async def test_an_object_that_vanished_without_us_destroys_nothing() -> None:
    lab = ServerLab()
    key = await running(lab)
    lab.cluster.vanish("Server", key)
    await lab.run(seconds=700)
    check_one_guest(lab)
    assert all(i.spec.destroy is None for i in lab.instances())


async def test_a_finalizer_taken_off_by_hand_destroys_nothing() -> None:
    lab = ServerLab()
    key = await running(lab)
    lab.operator.queue.clear()
    obj = lab.cluster.objects["Server", key]
    obj["metadata"]["finalizers"] = []
    lab.delete_server(key)
    await lab.run(seconds=700)
    assert lab.find_server(key) is None
    check_one_guest(lab)


async def test_a_crd_being_deleted_deletes_no_server() -> None:
    lab = ServerLab()
    key = await running(lab)
    crd = Key("", f"servers.{GROUP}")
    lab.cluster.objects["CustomResourceDefinition", crd]["metadata"] |= {
        "finalizers": ["customresourcecleanup.apiextensions.k8s.io"]
    }
    lab.cluster.delete_now(CUSTOM_RESOURCE_DEFINITION.kind, crd)
    lab.delete_server(key)
    await lab.run(seconds=700)
    check_one_guest(lab)
    assert lab.api.tombstones == {}
    assert all(i.spec.destroy is None for i in lab.instances())


async def test_a_guest_whose_object_vanished_is_adopted_by_the_next_one() -> None:
    lab = ServerLab()
    key = await running(lab)
    uuid = lab.server(key).metadata.uid
    address = lab.server(key).status.address
    lab.cluster.vanish("Server", key)
    lab.create_server(userData="#cloud-config\n")
    await lab.run(seconds=5)
    assert reason_of(lab.server(key), "Stalled") == "DomainExists"
    assert uuid in lab.server(key).status.conditions[0].message
    lab.annotate(Server, key, ADOPT_ANNOTATION, uuid)
    await lab.run(seconds=60)
    server = lab.server(key)
    assert (server.status.state, server.status.uuid) == ("ACTIVE", uuid)
    assert server.status.address == address
    assert server.metadata.uid != uuid
    check_one_guest(lab)


async def test_a_retained_guest_can_be_adopted_and_then_deleted() -> None:
    lab = ServerLab()
    key = lab.create_server(deletion={"policy": "Retain"})
    await lab.run(seconds=5)
    uuid = lab.server(key).metadata.uid
    lab.delete_server(key)
    await lab.run(seconds=20)
    assert lab.find_server(key) is None
    lab.create_server()
    lab.annotate(Server, key, ADOPT_ANNOTATION, uuid)
    await lab.run(seconds=60)
    assert lab.server(key).status.state == "ACTIVE"
    check_one_guest(lab)
    lab.delete_server(key)
    await lab.run(seconds=700)
    check_nothing_is_left(lab)


async def test_an_order_given_anew_gets_the_secret_that_was_refused_with_it() -> None:
    lab = ServerLab()
    key = await running(lab)
    await lab.run(seconds=60)
    (secret,) = lab.secrets
    (instance,) = lab.instances()
    at = Key(host_namespace(instance.spec.host), instance.metadata.name)
    lab.cluster.vanish("Instance", at)
    assert lab.secrets == []
    await lab.run(seconds=60)
    assert lab.secrets == [secret]
    lab.cluster.vanish(SECRET.kind, Key(host_namespace(instance.spec.host), secret))
    lab.annotate(Server, key, "example.org/look", "again")
    await lab.run(seconds=60)
    assert lab.secrets == [secret]
    check_one_guest(lab)


async def test_an_order_whose_disks_are_built_still_gets_its_secret() -> None:
    lab = ServerLab()
    fault = Fault(reason="SecretNotFound", message="not there yet")
    lab.fault = lambda _: fault
    key = lab.create_server(userData="#cloud-config\n")
    await lab.run(seconds=5)
    (secret,), (instance,) = lab.secrets, lab.instances()
    # The operator was killed between the two, and was away for more than a minute.
    lab.cluster.vanish(SECRET.kind, Key(host_namespace(instance.spec.host), secret))
    lab.report(instance, builtAt=later(lab), fault=fault.wire())
    assert lab.secrets == []
    await lab.run(seconds=60)
    assert lab.secrets == [secret]
    lab.fault = lambda _: None
    lab.report(instance, builtAt=later(lab))
    await lab.run(seconds=60)
    assert lab.server(key).status.state == "ACTIVE"
    check_one_guest(lab)


async def test_an_order_that_comes_late_in_the_former_name_ends_no_adopted_guest() -> (
    None
):
    lab = ServerLab()
    key = await running(lab)
    uuid = lab.server(key).metadata.uid
    (former,) = [dict(obj) for obj in lab.cluster.all("Instance")]
    former["metadata"] = {
        "name": former["metadata"]["name"],
        "namespace": former["metadata"]["namespace"],
    }
    lab.cluster.vanish("Server", key)
    lab.create_server()
    lab.annotate(Server, key, ADOPT_ANNOTATION, uuid)
    await lab.run(seconds=60)
    assert lab.server(key).status.state == "ACTIVE"
    # As a cell writes it that read the row before it changed hands.
    at = Key(former["metadata"]["namespace"], former["metadata"]["name"])
    lab.cluster.vanish("Instance", at)
    lab.cluster.put(Instance.resource(), former)
    await lab.run(seconds=120)
    check_one_guest(lab)
    (instance,) = lab.instances()
    assert instance.spec.destroy is None
    assert instance.spec.server.uid == lab.server(key).metadata.uid
    assert lab.server(key).status.state == "ACTIVE"


async def test_nobody_adopts_the_guest_of_another_namespace() -> None:
    lab = ServerLab()
    key = await running(lab)
    uuid = lab.server(key).metadata.uid
    lab.cluster.vanish("Server", key)
    other = lab.create_server("evil")
    lab.annotate(Server, other, ADOPT_ANNOTATION, uuid)
    await lab.run(seconds=30)
    assert lab.server(other).metadata.uid in lab.api.mappings
    assert uuid in lab.api.mappings, "web-0's guest is still held under its name"
    assert len(lab.domains) == 2


# Stores that went back.


async def test_an_object_from_the_past_is_left_alone() -> None:
    lab = ServerLab()
    key = await running(lab)
    uid = lab.server(key).metadata.uid
    known = lab.api.mappings[uid]
    lab.api.mappings[uid] = replace(known, object_generation=7)
    lab.change_server(key, powerState="Stopped")
    await lab.run(seconds=5)
    server = lab.server(key)
    assert reason_of(server) == "ObjectFromThePast"
    check_one_guest(lab)


async def test_a_deleted_server_that_came_back_is_not_built_again() -> None:
    lab = ServerLab()
    key = await running(lab)
    saved = lab.cluster.objects["Server", key]
    lab.delete_server(key)
    await lab.run(seconds=60)
    lab.cluster.objects["Server", key] = saved
    lab.restart_operator()
    await lab.run(seconds=60)
    assert reason_of(lab.server(key)) == "ObjectFromThePast"
    assert lab.domains == {}
    assert lab.api.mappings == {}
    lab.delete_server(key)
    await lab.run(seconds=5)
    assert lab.find_server(key) is None


async def test_a_stray_instance_of_a_deleted_server_is_ended() -> None:
    """A leader that was paused wakes and writes the order of a Server long gone."""
    lab = ServerLab()
    key = await running(lab)
    (instance,) = lab.instances()
    body = lab.cluster.objects[
        "Instance", Key(instance.metadata.namespace or "", instance.metadata.name)
    ]
    lab.delete_server(key)
    await lab.run(seconds=60)
    lab.cluster.put(
        Instance.resource(),
        {
            "metadata": {
                "name": instance.metadata.name,
                "namespace": instance.metadata.namespace,
            },
            "spec": body["spec"],
        },
    )
    await lab.run(seconds=700)
    check_nothing_is_left(lab)


async def test_while_frozen_nothing_is_claimed_ended_or_started() -> None:
    lab = ServerLab()
    key = await running(lab)
    lab.freeze.note(Frozen("api", "DatabaseWentBack", "test"))
    other = lab.create_server("web-1")
    lab.delete_server(key)
    await lab.run(seconds=300)
    assert list(lab.domains.values()) == [True]
    assert len(lab.api.claims) == 1
    assert all(i.spec.destroy is None for i in lab.instances())
    lab.freeze.lift("api")
    await lab.run(seconds=60)
    assert lab.find_server(key) is None
    assert lab.server(other).status.state == "ACTIVE"


# The brake.


async def test_an_unusual_number_of_deletions_waits_for_a_person() -> None:
    lab = ServerLab()
    keys = [await running(lab, f"web-{n}") for n in range(8)]
    lab.cluster.put(Cell.resource(), {"metadata": {"name": "cell1"}, "spec": {}})
    await lab.clock.advance(3600)
    for key in keys:
        lab.delete_server(key)
    await lab.run(seconds=60)
    left = [key for key in keys if lab.find_server(key)]
    assert len(left) == 3
    assert len(lab.domains) == 3
    assert all(reason_of(lab.server(k), "DeletionsHeld") for k in left)
    assert cell_is_braked(lab)
    lab.restart_operator()
    await lab.run(seconds=5)
    assert cell_is_braked(lab)
    now = lab.clock.utcnow().isoformat()
    lab.annotate(Cell, Key("", "cell1"), RELEASE_DELETIONS_ANNOTATION, now)
    await lab.run(seconds=700)
    check_nothing_is_left(lab)
    assert not cell_is_braked(lab)


async def test_orders_that_were_lost_and_given_again_do_not_make_guests_young() -> None:
    lab = ServerLab()
    keys = [await running(lab, f"web-{n}") for n in range(8)]
    await lab.clock.advance(3600)
    for host in list(lab.hosts):
        lab.lose_namespace(host)
        lab.cluster.put(NAMESPACE, {"metadata": {"name": host_namespace(host)}})
    await lab.run(seconds=60)
    assert len(lab.instances()) == 8, "all are given again"
    for key in keys:
        lab.delete_server(key)
    await lab.run(seconds=60)
    assert len(lab.domains) == 3


async def test_guests_of_another_cell_do_not_loosen_the_brake() -> None:
    lab = ServerLab()
    keys = [await running(lab, f"web-{n}") for n in range(8)]
    lab.silent_hosts.add("elsewhere")
    for _ in range(100):
        lab.cluster.put(
            Instance.resource(), make_instance(host="elsewhere", cell="cell2")
        )
    await lab.clock.advance(3600)
    for key in keys:
        lab.delete_server(key)
    await lab.run(seconds=60)
    assert len(lab.domains) == 3


def cell_is_braked(lab: ServerLab) -> bool:
    cell = Cell.model_validate(lab.cluster.objects["Cell", Key("", "cell1")])
    return cell.status.is_true("DeletionsHeld")


async def test_a_namespace_may_opt_out_of_the_brake() -> None:
    lab = ServerLab()
    keys = [await running(lab, f"web-{n}") for n in range(8)]
    lab.cluster.put(
        NAMESPACE,
        {"metadata": {"name": SHOP, "annotations": {DELETION_BRAKE_ANNOTATION: "off"}}},
    )
    await lab.clock.advance(3600)
    for key in keys:
        lab.delete_server(key)
    await lab.run(seconds=700)
    check_nothing_is_left(lab)
