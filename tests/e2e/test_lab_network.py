"""Who reaches whom in a lab, and that nothing gets out of it."""

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from kilonova_lab.addresses import build_node_range
from kilonova_lab.cluster import Cluster
from kilonova_lab.node import Node
from kilonova_lab.supervised import Finished
from support.kilonova import Kilonova
from support.packets import find_default_interface, watch_interface
from support.probe import Probe, write_probe_image
from support.waiting import eventually

OUTSIDE = "198.51.100.7"  # RFC 5737: documentation only, routed nowhere
NO_GUEST = "10.89.255.7"
PING_OUT = f"#!/bin/sh\necho pings\nping {OUTSIDE} >/dev/null 2>&1 &\n"


@pytest.fixture(scope="module")
def probes(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Probe, Probe]]:
    folder: Path = tmp_path_factory.mktemp("probe")
    cluster.import_images([write_probe_image(folder)])
    made = Probe(cluster, "probe1", "hv1"), Probe(cluster, "probe2", "hv2")
    for probe in made:
        probe.wait_until_running()
    yield made
    for probe in made:
        probe.delete()


def ping_from_node(node: Node, target: str) -> Finished:
    return node.exec(["ping", "-c1", "-W1", target])


def test_pods_of_different_nodes_reach_each_other_under_their_own_addresses(
    probes: tuple[Probe, Probe],
) -> None:
    one, two = probes
    source, target = one.wait_until_running(), two.wait_until_running()
    answer = one.fetch(target)
    assert "HTTP/1.1 200" in answer.stdout, answer
    assert f"src {source}" in one.exec("ip", "route", "get", target).stdout
    assert f"[::ffff:{source}]" in two.kubectl("logs", two.name).stderr + (
        two.kubectl("logs", two.name).stdout
    )


def test_a_pod_finds_a_service_by_name_and_reaches_it(
    cluster: Cluster, probes: tuple[Probe, Probe]
) -> None:
    one, _ = probes
    path = "/api/v1/namespaces/default/services/probe2"
    service = cluster.api.apply(
        path,
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "probe2", "namespace": "default"},
            "spec": {"selector": {"app": "probe2"}, "ports": [{"port": 80}]},
        },
    )
    address = service["spec"]["clusterIP"]

    def finds() -> bool:
        return (
            address in one.exec("nslookup", "probe2.default.svc.cluster.local").stdout
        )

    eventually(finds, "DNS knows the Service")
    eventually(lambda: "200 OK" in one.fetch(address).stdout, "the Service answers")
    cluster.api.delete(path)


def test_exec_and_logs_go_through_the_api_server_to_every_kubelet(
    probes: tuple[Probe, Probe],
) -> None:
    for probe in probes:
        assert probe.exec("echo", "here").stdout == "here\n"
        assert probe.kubectl("logs", probe.name).returncode == 0


def test_a_name_outside_the_cluster_is_refused_at_once(
    probes: tuple[Probe, Probe],
) -> None:
    answer = probes[0].exec("timeout", "5", "/busybox", "nslookup", "example.com")
    assert answer.returncode == 1, answer.stdout
    assert "REFUSED" in answer.stdout + answer.stderr or "SERVFAIL" in (
        answer.stdout + answer.stderr
    )


def test_the_guests_lan_is_one_network_on_all_hypervisor_hosts(
    cluster: Cluster,
) -> None:
    addresses = {"hv1": "10.88.200.1", "hv2": "10.88.200.2"}
    for name, address in addresses.items():
        cluster.node(name).exec(
            ["ip", "address", "add", f"{address}/16", "dev", "br-lan"]
        )
    ping = cluster.node("hv1").exec(
        ["ping", "-c1", "-W2", "-I", "br-lan", addresses["hv2"]]
    )
    for name, address in addresses.items():
        cluster.node(name).exec(
            ["ip", "address", "del", f"{address}/16", "dev", "br-lan"]
        )
    assert ping.returncode == 0, ping.stdout


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(OUTSIDE, id="the internet"),
        pytest.param("10.96.200.200", id="a Service that does not exist"),
        pytest.param("10.244.200.1", id="a pod of no node"),
        pytest.param(NO_GUEST, id="a tenant's network that is not there"),
        pytest.param("10.20.255.7", id="an example's network that is not there"),
    ],
)
def test_a_node_is_told_at_once_that_it_cannot_reach(
    cluster: Cluster, target: str
) -> None:
    # More than one: the kernel rations its answers to those who ask often.
    ping = cluster.node("hv1").exec(["ping", "-c4", "-i0.4", "-W1", target])
    assert "Unreachable" in ping.stdout, ping.stdout


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest on a NAT network that pings an address outside without end."""

    node: Node
    address: str

    def has_sent(self) -> bool:
        """Tell whether its host has passed on what it sends."""
        sent = ("conntrack", "-L", "-p", "icmp", "-s", self.address, "-d", OUTSIDE)
        return self.address in self.node.exec(sent).stdout


@pytest.fixture
def guest(kilonova: Kilonova) -> Guest:
    kilonova.create_server("pings", userData=PING_OUT)
    status = kilonova.await_ready("pings")
    kilonova.await_guest("pings", "pings")
    return Guest(kilonova.node(status["host"]), status["address"])


def test_no_packet_with_an_address_of_the_lab_passes_the_machines_own_interface(
    cluster: Cluster, probes: tuple[Probe, Probe], guest: Guest
) -> None:
    all_labs = build_node_range(cluster.plan.slot).supernet(new_prefix=16)
    ranges = (all_labs, *cluster.plan.closed_ranges)
    assert any(IPv4Address(guest.address) in closed for closed in ranges)
    interface = find_default_interface()
    machine = subprocess.run(
        ["ip", "-4", "-brief", "address", "show", "dev", interface],
        capture_output=True,
        text=True,
        check=True,
    )
    own = machine.stdout.split()[2].partition("/")[0]
    targets = [OUTSIDE, own, str(cluster.plan.machine), "10.96.200.200", NO_GUEST]
    senders: list[Callable[[str], object]] = [
        lambda _: subprocess.run(["ping", "-c1", "-W1", OUTSIDE], check=False),
        *(partial(probe.exec, "ping", "-c1", "-W1") for probe in probes),
        *(partial(ping_from_node, node) for node in cluster.nodes),
        lambda target: cluster.supervisor.run(["ping", "-c1", "-I", "lan0", target]),
    ]
    with (
        watch_interface(interface, ranges) as witness,
        ThreadPoolExecutor(len(senders) * len(targets)) as pool,
    ):
        sent = [pool.submit(sender, target) for sender in senders for target in targets]
        for sending in sent:
            sending.result()
        guest.node.exec(["conntrack", "-D", "-s", guest.address])
        eventually(guest.has_sent, "the guest sends while the interface is watched")
    assert witness.total > 0, "the witness saw nothing at all, not even its own ping"
    assert witness.seen == []
