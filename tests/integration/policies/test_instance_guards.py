"""An Instance is Kilonova's own order: a careless hand does not touch it."""

import json

import pytest

from support.chart_cluster import Cluster
from support.chart_manifests import build_instance

HV2 = ("-n", "kilonova-host-hv2")
STOP = json.dumps({"spec": {"powerState": "Stopped"}})
PATCH = ("patch", "ninst", "guest", *HV2, "--type=merge", "-p")


def test_an_admin_cannot_delete_an_instance_and_is_told_what_to_delete(
    cluster: Cluster,
) -> None:
    error = cluster.admin.refused("delete", "ninst", "guest", *HV2)
    assert "Delete Server shop/web-0" in error


def test_an_admin_cannot_delete_all_instances_of_a_host(cluster: Cluster) -> None:
    cluster.admin.refused("delete", "ninst", "--all", *HV2)
    cluster.admin.get("ninst", "guest", *HV2)


def test_an_admin_cannot_make_or_change_an_instance(cluster: Cluster) -> None:
    manifest = json.dumps(build_instance("hv2", "by-hand"))
    assert "make a Server" in cluster.admin.refused("create", "-f", "-", stdin=manifest)
    assert "change its Server" in cluster.admin.refused(*PATCH, STOP)
    status = json.dumps({"status": {"state": "ACTIVE"}})
    cluster.admin.refused(*PATCH, status, "--subresource=status")


def test_an_admin_may_label_an_instance(cluster: Cluster) -> None:
    cluster.admin.kubectl("label", "ninst", "guest", *HV2, "looked-at=yes")


@pytest.mark.parametrize("who", ["operator", "break_glass"])
def test_the_operator_and_the_break_glass_group_write_instances(
    cluster: Cluster, who: str
) -> None:
    writer = getattr(cluster, who)
    writer.create(build_instance("hv2", who.replace("_", "-")))
    name = who.replace("_", "-")
    writer.kubectl("patch", "ninst", name, *HV2, "--type=merge", "-p", STOP)
    writer.kubectl("delete", "ninst", name, *HV2)
