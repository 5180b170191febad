from kilonova_api.kube.resources import SECRET
from support.server_lab import ServerLab
from support.servers import reason_of


async def test_a_server_is_built_runs_and_is_gone_without_a_trace() -> None:
    lab = ServerLab()
    key = lab.create_server(userData="#cloud-config\n")
    await lab.run()
    server = lab.server(key)
    assert lab.errors == []
    assert (server.status.state, reason_of(server)) == ("ACTIVE", "Running")
    assert server.status.address == "10.20.0.3"
    assert server.status.observed_generation == 1
    assert list(lab.domains.values()) == [True]
    assert len(lab.secrets) == 1

    lab.delete_server(key)
    await lab.run(seconds=60)
    assert lab.find_server(key) is None
    assert lab.domains == {}
    assert lab.cluster.all("Instance") == []
    assert lab.cluster.all(SECRET.kind) == []
    assert (lab.api.mappings, lab.api.claims, lab.api.nics) == ({}, {}, {})
    assert lab.cell.bookings == {}


async def test_the_whole_life_of_a_server_costs_eight_writes() -> None:
    lab = ServerLab()
    key = lab.create_server(userData="#cloud-config\n")
    await lab.run(seconds=1)
    lab.delete_server(key)
    await lab.run(seconds=700)
    assert len(lab.cluster.writes) == 8, lab.cluster.writes
