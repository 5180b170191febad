"""Hosts are in aggregates by name and by label, and whoever asks hears of changes."""

from kilonova_api.host_aggregate import HostAggregate
from kilonova_api.kube.resources import NODE, Key
from kilonova_operator.services.aggregates.index import AggregateIndex
from support.aggregates import AggregateScene

PREFIX = "node-restriction.kubernetes.io/"


class Stage(AggregateScene):
    """Three hosts, and ears."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("hv1", "hv2", "hv3"):
            self.put_host(name)
        self.index = self.build_index()
        self.hosts_heard: list[str] = []
        self.aggregates_heard: list[str] = []
        self.index.on_host(self.hosts_heard.append)
        self.index.on_aggregate(self.aggregates_heard.append)

    def names_of(self, host: str) -> list[str]:
        return [a.metadata.name for a in self.index.of_host(host)]

    def hosts_of(self, aggregate: str) -> tuple[str, ...]:
        found = self.aggregates.find(Key("", aggregate))
        assert found is not None
        return self.index.hosts_of(found)

    def clear(self) -> None:
        self.hosts_heard.clear()
        self.aggregates_heard.clear()


def test_hosts_are_named() -> None:
    stage = Stage()
    stage.put_aggregate("ssd", hosts=["hv1", "hv3", "hv9"])
    assert stage.names_of("hv1") == ["ssd"]
    assert stage.names_of("hv2") == []
    assert stage.hosts_of("ssd") == ("hv1", "hv3")


def test_hosts_are_selected_by_their_own_labels() -> None:
    stage = Stage()
    stage.put_host("hv2", labels={"disk": "ssd"})
    stage.put_aggregate("ssd", hostSelector={"matchLabels": {"disk": "ssd"}})
    assert stage.hosts_of("ssd") == ("hv2",)
    stage.put_host("hv3", labels={"disk": "ssd"})
    assert stage.names_of("hv3") == ["ssd"]


def test_hosts_are_selected_by_labels_of_the_node_that_no_kubelet_sets() -> None:
    stage = Stage()
    stage.put_node("hv2", rack="r7")
    stage.put_aggregate("r7", hostSelector={"matchLabels": {PREFIX + "rack": "r7"}})
    assert stage.hosts_of("r7") == ("hv2",)
    stage.cluster.put(
        NODE, {"metadata": {"name": "hv1", "labels": {"rack": "r7", "x": "y"}}}
    )
    stage.put_aggregate("loose", hostSelector={"matchLabels": {"rack": "r7"}})
    assert stage.hosts_of("loose") == ()


def test_an_empty_selector_is_every_host() -> None:
    stage = Stage()
    stage.put_aggregate("all", hostSelector={})
    assert stage.hosts_of("all") == ("hv1", "hv2", "hv3")


def test_a_new_index_knows_what_is_there_already() -> None:
    stage = Stage()
    stage.put_aggregate("ssd", hosts=["hv1"])
    stage.put_aggregate("all", hostSelector={})
    again: AggregateIndex = stage.build_index()
    assert [a.metadata.name for a in again.of_host("hv1")] == ["all", "ssd"]


def test_those_who_come_and_those_who_go_are_told() -> None:
    stage = Stage()
    stage.put_aggregate("ssd", hosts=["hv1", "hv2"])
    assert (stage.hosts_heard, stage.aggregates_heard) == (["hv1", "hv2"], ["ssd"])
    stage.clear()
    stage.put_aggregate("ssd", hosts=["hv2", "hv3"])
    assert stage.hosts_heard == ["hv1", "hv2", "hv3"]
    assert stage.names_of("hv1") == []
    stage.clear()
    stage.cluster.vanish("HostAggregate", Key("", "ssd"))
    assert (stage.hosts_heard, stage.aggregates_heard) == (["hv2", "hv3"], ["ssd"])
    assert stage.names_of("hv3") == []


def test_a_status_is_no_news() -> None:
    stage = Stage()
    stage.put_aggregate("ssd", hosts=["hv1"])
    stage.clear()
    body: dict[str, object] = {"metadata": {"name": "ssd"}, "spec": {"hosts": ["hv1"]}}
    body["status"] = {"hosts": 1}
    stage.cluster.put(HostAggregate.resource(), body)
    assert (stage.hosts_heard, stage.aggregates_heard) == ([], [])


def test_a_label_moves_its_host() -> None:
    stage = Stage()
    stage.put_aggregate("ssd", hostSelector={"matchLabels": {"disk": "ssd"}})
    stage.clear()
    stage.put_host("hv1", labels={"disk": "ssd"})
    assert (stage.hosts_heard, stage.aggregates_heard) == (["hv1"], ["ssd"])
    stage.clear()
    stage.put_host("hv1", labels={"disk": "hdd"})
    assert (stage.hosts_heard, stage.aggregates_heard) == (["hv1"], ["ssd"])


def test_a_host_that_appears_is_told_to_its_aggregates() -> None:
    stage = Stage()
    stage.put_aggregate("new", hosts=["hv4"])
    stage.clear()
    stage.put_host("hv4")
    assert (stage.hosts_heard, stage.aggregates_heard) == (["hv4"], ["new"])
    stage.clear()
    stage.cluster.vanish("ComputeHost", Key("", "hv4"))
    assert stage.aggregates_heard == ["new"]


def test_facts_hold_aggregates_with_their_zone_and_the_nodes_address() -> None:
    stage = Stage()
    stage.put_node("hv1", address="10.0.0.7")
    stage.put_aggregate(
        "az1", hosts=["hv1"], availabilityZone="az1", metadata={"ssd": "yes"}
    )
    host = stage.hosts.find(Key("", "hv1"))
    assert host is not None
    facts = stage.index.build_facts(host)
    assert facts.address == "10.0.0.7"
    assert facts.aggregates.list_values("availability_zone") == ("az1",)
    assert facts.aggregates.list_values("ssd") == ("yes",)
    assert len(stage.index.all_facts()) == 1


def test_those_who_share_a_host_hear_of_each_other() -> None:
    stage = Stage()
    stage.put_aggregate("east", hosts=["hv1"], availabilityZone="az1")
    stage.clear()
    stage.put_aggregate("west", hosts=["hv1"], availabilityZone="az2")
    assert stage.aggregates_heard == ["east", "west"]
    stage.clear()
    stage.cluster.vanish("HostAggregate", Key("", "west"))
    assert stage.aggregates_heard == ["east", "west"]
