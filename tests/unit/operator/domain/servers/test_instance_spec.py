import pytest

from kilonova_operator.domain.servers.build_id import build_build_id
from kilonova_operator.domain.servers.instance_spec import (
    GivenPlace,
    GivenPort,
    build_order,
    sha256_of,
)
from kilonova_operator.domain.servers.references import References
from support.servers import (
    SERVER_UID,
    make_flavor,
    make_image,
    make_network,
    make_server,
)

PLACE = GivenPlace(
    instance_uuid=SERVER_UID,
    cell="cell1",
    host="hv1",
    zone="az1",
    placement_generation=2,
    ports={"eth0": GivenPort("n1", "10.20.0.5", "fa:16:3e:00:00:05")},
)
FOUND = References(
    flavor=make_flavor(description="small"),
    image=make_image(),
    networks={"eth0": make_network(dnsServers=["10.20.0.1"])},
)


def test_an_order_is_complete() -> None:
    server = make_server(metadata={"generation": 3}, userData="#cloud-config\n")
    order = build_order(server, FOUND, PLACE, cluster_uid="c1", writer=7)
    spec = order.spec
    assert (spec.server.cluster, spec.server.uid) == ("c1", SERVER_UID)
    assert (spec.cell, spec.host, spec.zone) == ("cell1", "hv1", "az1")
    assert (spec.writer, spec.placement_generation) == (7, 2)
    assert spec.server_generation == 3
    assert spec.flavor.ram_mib == 64
    assert spec.image.url.endswith("tiny.qcow2")
    (nic,) = spec.networks
    assert (nic.network, nic.network_id, nic.type) == ("Network/private", "n1", "NAT")
    assert (nic.address, nic.gateway) == ("10.20.0.5", "10.20.0.1")
    assert nic.dns_servers == ("10.20.0.1",)
    assert nic.port_security
    assert spec.user_data is not None
    assert spec.user_data.sha256 == sha256_of(b"#cloud-config\n")
    assert order.user_data == b"#cloud-config\n"
    assert "cloud-config" not in repr(order)


def test_port_security_is_off_only_where_it_is_said() -> None:
    nic = {"name": "eth0", "networkRef": {"name": "private"}}
    server = make_server(networks=[nic | {"portSecurity": "Disabled"}])
    order = build_order(server, FOUND, PLACE, cluster_uid="c1", writer=7)
    assert not order.spec.networks[0].port_security


def test_an_order_without_its_references_is_not_built() -> None:
    missing = References(flavor=None, image=None, networks={})
    with pytest.raises(ValueError, match="unresolved"):
        build_order(make_server(), missing, PLACE, cluster_uid="c1", writer=7)


def test_a_build_id_belongs_to_one_placement() -> None:
    assert build_build_id("u", 1) == build_build_id("u", 1)
    assert build_build_id("u", 1) != build_build_id("u", 2)
    assert build_build_id("u", 1) != build_build_id("v", 1)
