"""Instances tell how busy their hosts are."""

from collections.abc import Mapping
from typing import Any

from kilonova_api.compute_host import ComputeHost
from kilonova_api.instance import Instance
from kilonova_api.kube.resources import Key
from kilonova_api.meta import ObjectMeta
from kilonova_operator.domain.scheduling.columns import Number
from kilonova_operator.services.servers.host_load import HostLoad
from support.chart_manifests import build_instance
from support.server_lab import ServerLab

BUILT = {"state": "ACTIVE", "builtAt": "2026-01-01T00:00:00Z"}
FAILED = {"state": "ERROR"}


class Heard:
    """Keeps the last that was told."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, str], int] = {}
        self.images: dict[str, dict[tuple[str, str], int]] = {}

    def set_number(self, host: str, name: Number, value: int) -> None:
        self.numbers[host, name] = value

    def set_image_counts(
        self, host: str, counts: Mapping[tuple[str, str], int]
    ) -> None:
        self.images[host] = dict(counts)


def made(host: str = "hv1", **changes: Any) -> Instance:
    body = build_instance(host)
    body["status"] = changes.pop("status", {})
    body["spec"] |= changes
    if "properties" in changes:
        body["spec"]["image"]["properties"] = body["spec"].pop("properties")
    return Instance.model_validate(body)


def test_builds_under_way_are_counted_until_they_end() -> None:
    heard = Heard()
    load = HostLoad(heard, counts_images=False)
    one, other = Key("ns", "one"), Key("ns", "other")
    new = made()
    load.instance_changed(one, None, new)
    load.instance_changed(other, None, made(status={"state": "BUILD"}))
    assert heard.numbers["hv1", "io_ops"] == 2
    load.instance_changed(one, new, made(status=BUILT))
    assert heard.numbers["hv1", "io_ops"] == 1
    load.instance_changed(other, made(status={"state": "BUILD"}), None)
    assert heard.numbers["hv1", "io_ops"] == 0


def test_an_order_to_end_is_no_build() -> None:
    heard = Heard()
    destroy = {"placementGeneration": 1, "reason": "ServerDeleted"}
    HostLoad(heard, counts_images=False).instance_changed(
        Key("ns", "one"), None, made(destroy=destroy)
    )
    assert heard.numbers["hv1", "io_ops"] == 0


def test_failed_builds_count_until_one_succeeds() -> None:
    heard = Heard()
    load = HostLoad(heard, counts_images=False)
    key, building, failed = Key("ns", "one"), made(), made(status=FAILED)
    load.instance_changed(key, None, building)
    load.instance_changed(key, building, failed)
    load.instance_changed(key, failed, failed)
    load.instance_changed(key, building, failed)
    assert heard.numbers["hv1", "failed_builds"] == 2
    load.instance_changed(key, building, made(status=BUILT))
    assert heard.numbers["hv1", "failed_builds"] == 0


def test_failures_of_a_former_process_do_not_count() -> None:
    heard = Heard()
    load = HostLoad(heard, counts_images=False)
    load.instance_changed(Key("ns", "one"), None, made(status=FAILED))
    assert heard.numbers["hv1", "failed_builds"] == 0


def test_images_are_counted_where_they_are_weighed() -> None:
    heard = Heard()
    load = HostLoad(heard, counts_images=True)
    debian = made(properties={"os_distro": "debian"})
    load.instance_changed(Key("ns", "one"), None, debian)
    load.instance_changed(Key("ns", "two"), None, debian)
    assert heard.images["hv1"] == {("os_distro", "debian"): 2}
    load.instance_changed(Key("ns", "one"), debian, None)
    load.instance_changed(Key("ns", "two"), debian, None)
    assert heard.images["hv1"] == {}


def test_a_host_that_comes_later_is_told_of() -> None:
    heard = Heard()
    load = HostLoad(heard, counts_images=True)
    load.instance_changed(Key("ns", "one"), None, made())
    heard.numbers.clear()
    host = ComputeHost(metadata=ObjectMeta(name="hv1"))
    load.host_changed(Key("", "hv1"), None, host)
    assert heard.numbers["hv1", "io_ops"] == 1
    load.host_changed(Key("", "hv1"), host, None)


async def test_the_next_server_goes_where_less_is_being_built() -> None:
    lab = ServerLab()
    quiet = lab.create_server("web-0")
    await lab.run(seconds=2)
    host = lab.server(quiet).status.host
    assert host is not None
    # Nothing tells the two hosts apart but what is being built on them.
    busy = ServerLab()
    busy.cluster.put(Instance.resource(), build_instance(host))
    key = busy.create_server("web-0")
    await busy.run(seconds=2)
    assert busy.server(key).status.host not in {host, None}
