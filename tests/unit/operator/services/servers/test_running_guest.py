"""What a change of a running Server does, and does not."""

from base64 import b64encode
from hashlib import sha256
from typing import Any

from kilonova_api.kube.resources import SECRET, Key
from kilonova_api.names import RECONCILE_ANNOTATION
from kilonova_api.server import Server
from support.lab_checks import check_one_guest
from support.server_lab import ServerLab
from support.servers import NAMESPACE, reason_of


async def running(lab: ServerLab, **spec: Any) -> Key:
    key = lab.create_server(**spec)
    await lab.run(seconds=5)
    assert lab.server(key).status.state == "ACTIVE"
    return key


async def test_an_idle_server_costs_no_write() -> None:
    lab = ServerLab()
    await running(lab)
    writes = len(lab.cluster.writes)
    lab.restart_operator()
    await lab.run(seconds=3600)
    assert lab.cluster.writes[writes:] == []


async def test_metadata_reaches_the_host_and_touches_no_guest() -> None:
    lab = ServerLab()
    key = await running(lab)
    lab.change_server(key, metadata={"role": "db"})
    await lab.run(seconds=5)
    (instance,) = lab.instances()
    assert instance.spec.metadata == {"role": "db"}
    assert instance.spec.server_generation == 2
    server = lab.server(key)
    assert server.status.observed_generation == 2
    assert reason_of(server) == "Running"
    check_one_guest(lab)


async def test_a_field_that_no_host_needs_only_moves_observed_generation() -> None:
    lab = ServerLab()
    key = await running(lab)
    writes = len(lab.cluster.writes)
    lab.change_server(key, deletion={"protected": True})
    await lab.run(seconds=5)
    assert lab.cluster.writes[writes:] == ["apply Server/status web-0"]
    assert lab.server(key).status.observed_generation == 2


async def test_a_suspended_server_is_left_alone_and_follows_its_generation() -> None:
    lab = ServerLab()
    key = await running(lab)
    lab.change_server(key, suspend=True, powerState="Stopped")
    await lab.run(seconds=60)
    server = lab.server(key)
    assert reason_of(server, "Suspended") == "SuspendRequested"
    assert server.status.observed_generation == 2
    assert server.status.state == "ACTIVE"
    check_one_guest(lab)
    lab.change_server(key, suspend=False)
    await lab.run(seconds=5)
    server = lab.server(key)
    assert (server.status.state, reason_of(server)) == ("SHUTOFF", "Stopped")
    assert reason_of(server, "Suspended") is None


async def test_a_server_born_suspended_is_built_when_it_is_resumed() -> None:
    lab = ServerLab()
    key = lab.create_server(suspend=True)
    await lab.run(seconds=60)
    server = lab.server(key)
    assert reason_of(server) == "Suspended"
    assert server.status.observed_generation == 1
    assert lab.api.claims == {}
    lab.change_server(key, suspend=False)
    await lab.run(seconds=5)
    check_one_guest(lab)


async def test_edited_user_data_is_told_and_has_no_effect() -> None:
    lab = ServerLab()
    key = await running(lab, userData="one")
    lab.change_server(key, userData="two")
    await lab.run(seconds=5)
    server = lab.server(key)
    assert reason_of(server, "UserDataChanged") == "UserDataChanged"
    assert reason_of(server) == "Running"
    lab.change_server(key, userData="one")
    await lab.run(seconds=5)
    assert reason_of(lab.server(key), "UserDataChanged") is None
    check_one_guest(lab)


async def test_a_reconcile_that_was_asked_for_is_echoed_and_sees_secrets() -> None:
    lab = ServerLab()
    secret = {"metadata": {"name": "s", "namespace": NAMESPACE}}
    lab.cluster.put(SECRET, secret | {"data": {"k": "b25l"}})
    key = await running(lab, userDataRef={"name": "s", "key": "k"})
    lab.cluster.put(SECRET, secret | {"data": {"k": "dHdv"}})
    await lab.run(seconds=60)
    assert reason_of(lab.server(key), "UserDataChanged") is None
    lab.annotate(Server, key, RECONCILE_ANNOTATION, "now")
    await lab.run(seconds=5)
    server = lab.server(key)
    assert server.status.last_handled_reconcile_at == "now"
    assert reason_of(server, "UserDataChanged") == "UserDataChanged"
    assert reason_of(server) == "Running"


async def test_a_stopped_server_is_ready_and_stopped() -> None:
    lab = ServerLab()
    key = lab.create_server(powerState="Stopped")
    await lab.run(seconds=5)
    server = lab.server(key)
    assert (server.status.state, reason_of(server)) == ("SHUTOFF", "Stopped")
    assert list(lab.domains.values()) == [False]


async def test_secrets_never_reach_status_instance_or_databases() -> None:
    lab = ServerLab()
    await running(lab, userData="hush-hush")
    told = [obj for kind in ("Instance",) for obj in lab.cluster.all(kind)]
    status = lab.cluster.all("Server")[0]["status"]
    bookings = [b.instance_spec for b in lab.cell.bookings.values()]
    assert "hush-hush" not in repr((told, status, bookings))


async def test_status_says_nothing_by_which_user_data_could_be_guessed() -> None:
    lab = ServerLab()
    await running(lab, userData="hush")
    digest = sha256(b"hush").digest()
    told = repr(lab.cluster.all("Server")[0]["status"])
    assert digest.hex() not in told
    assert b64encode(digest).decode() not in told
