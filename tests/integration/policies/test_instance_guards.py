"""An Instance is Kilonova's own order: a careless hand does not touch it."""

import json

import pytest

from kilonova_api.names import host_namespace
from support.chart_cluster import Cluster, add_host
from support.chart_manifests import build_instance
from support.waiting import eventually

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


# An Instance under an order to end: its absence frees the guest's addresses.


DESTROY = {"placementGeneration": 1, "reason": "ServerDeleted"}
ORDER_TO_END = json.dumps({"spec": {"destroy": DESTROY}})


def order_to_end(cluster: Cluster, host: str, name: str) -> None:
    """Order a guest's end, as the operator does."""
    where = ("-n", host_namespace(host), "--type=merge", "-p", ORDER_TO_END)
    cluster.operator.kubectl("patch", "ninst", name, *where)


def test_nobody_takes_an_order_to_end_away_but_the_agent_that_carried_it_out(
    cluster: Cluster,
) -> None:
    cluster.operator.create(build_instance("hv2", "ending"))
    order_to_end(cluster, "hv2", "ending")
    delete = ("delete", "ninst", "ending", *HV2)
    cluster.admin.refused(*delete)  # by two policies; either may be named
    for hand in (cluster.break_glass, cluster.operator):
        assert "may still run" in hand.refused(*delete)
    assert "may still run" in cluster.break_glass.refused(
        "delete", "ninst", "--all", *HV2
    )
    cluster.host("hv2").kubectl(*delete)


def test_the_deletion_of_a_host_namespace_is_not_held_up_by_orders_to_end(
    cluster: Cluster,
) -> None:
    add_host(cluster, "hv9")
    admin, namespace = cluster.admin, host_namespace("hv9")
    allow = f"compute.kilonova.dev/allow-delete={namespace}"
    order_to_end(cluster, "hv9", "guest")
    admin.kubectl("annotate", "namespace", namespace, allow)
    admin.kubectl("delete", "namespace", namespace, "--wait=false")
    eventually(
        lambda: not admin.run("kubectl", "get", "namespace", namespace).ok,
        "the namespace is gone",
    )


def test_no_end_is_ordered_of_an_instance_that_is_being_deleted(
    cluster: Cluster,
) -> None:
    cluster.operator.create(build_instance("hv2", "held"))
    finalizers = json.dumps({"metadata": {"finalizers": ["example.com/held"]}})
    patch = ("patch", "ninst", "held", *HV2, "--type=merge", "-p")
    cluster.admin.kubectl(*patch, finalizers)
    cluster.break_glass.kubectl("delete", "ninst", "held", *HV2, "--wait=false")
    assert "is being deleted" in cluster.operator.refused(*patch, ORDER_TO_END)
    cluster.admin.kubectl(*patch, json.dumps({"metadata": {"finalizers": []}}))
