"""No Server is given an address that a living guest has whom nobody knows."""

from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.resources import Key
from support.server_lab import ServerLab
from support.servers import reason_of

REPORT = {
    "hostId": "11111111-2222-4333-8444-555555555555",
    "agentVersion": "0.1.0",
    "unknownDomains": 2,
}


def say_unknown(lab: ServerLab, host: str, *addresses: str) -> None:
    obj = lab.cluster.objects["ComputeHost", Key("", host)]
    agent = REPORT | {"unknownAddresses": list(addresses)}
    body = {"metadata": {"name": host}, "status": obj["status"] | {"agent": agent}}
    lab.cluster.put(ComputeHost.resource(), body)


def addresses(lab: ServerLab, key: Key) -> list[str | None]:
    return [nic.address for nic in lab.server(key).status.nics]


async def test_the_next_address_is_given_and_the_held_one_once_it_is_free() -> None:
    lab = ServerLab()
    say_unknown(lab, "hv1", "10.20.0.3")
    say_unknown(lab, "hv2", "10.20.0.4")
    first, second = lab.create_server("web-0"), lab.create_server("web-1")
    await lab.run(seconds=5)
    given = {*addresses(lab, first), *addresses(lab, second)}
    assert given == {"10.20.0.5", "10.20.0.6"}
    say_unknown(lab, "hv1")
    third = lab.create_server("web-2")
    await lab.run(seconds=5)
    assert addresses(lab, third) == ["10.20.0.3"]


async def test_a_fixed_address_of_a_guest_nobody_knows_is_in_use() -> None:
    lab = ServerLab()
    say_unknown(lab, "hv1", "10.20.0.9")
    nic = {"name": "eth0", "networkRef": {"name": "private"}}
    key = lab.create_server(networks=[nic | {"fixedAddress": "10.20.0.9"}])
    await lab.run(seconds=5)
    assert reason_of(lab.server(key)) == "AddressInUse"
    assert lab.instances() == []
    say_unknown(lab, "hv1")
    await lab.run(seconds=700)
    assert addresses(lab, key) == ["10.20.0.9"]
