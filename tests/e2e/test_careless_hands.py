"""What a careless hand removes comes back, and no guest notices.

First with the guards on, which refuse each such command and say how to mean it;
then with the guards off.
"""

from __future__ import annotations

from typing import Any

import pytest

from kilonova_api.names import HOSTS_NAMESPACE
from kilonova_lab.deploy.install import NAMESPACE, RELEASE
from kilonova_lab.deploy.kubectl import Kubectl
from support.careless import (
    GUARDED_CRDS,
    GUARDED_NAMESPACE,
    await_new_hosts,
    bring_crds_back,
    build_anew,
    build_crd_name,
    check_both_hosts_work,
    delete_crds,
    is_refused,
    nothing_happens,
    unguarded,
    upgrade_chart,
)
from support.domain_events import hearing_domains
from support.kilonova import Kilonova
from support.residents import Residents, await_no_leaks, residents
from support.waiting import eventually

__all__ = ["nothing_happens", "residents", "unguarded"]

PEOPLES_KINDS = (
    "flavors", "images", "networks", "clusterimages", "clusternetworks",
    "hostaggregates", "servergroups", "serverquotas",
)  # fmt: skip
OPERATORS_KINDS = ("cells", "computehosts")
HOST_NAMESPACE = GUARDED_NAMESPACE
AGAIN_SECONDS = 60.0


def find_instance(residents: Residents, host: str) -> dict[str, Any] | None:
    """Return the Instance of the resident of a host."""
    name = residents.uuids[residents.find_on(host)]
    return residents.kilonova.kubectl.find("instances", name, f"kilonova-host-{host}")


def await_other_instance(residents: Residents, host: str, uid: str) -> None:
    def there() -> bool:
        found = find_instance(residents, host)
        return found is not None and found["metadata"]["uid"] != uid

    eventually(there, f"the Instance on {host} is back", timeout_seconds=AGAIN_SECONDS)


def await_accounts(kubectl: Kubectl, *, but_not: set[str]) -> None:
    """Wait until each host has an account again."""

    def there() -> bool:
        accounts = kubectl.items("serviceaccounts", HOSTS_NAMESPACE)
        new = {a["metadata"]["name"]: a["metadata"]["uid"] for a in accounts}
        return {"hv1", "hv2"} <= new.keys() and not but_not & set(new.values())

    eventually(there, "the accounts are back", timeout_seconds=AGAIN_SECONDS)


def await_whole(residents: Residents) -> None:
    """Wait until both Servers are Ready over the guests that they had before."""
    for name, uuid in residents.uuids.items():
        assert residents.kilonova.await_ready(name)["uuid"] == uuid
    await_no_leaks(residents.kilonova)
    residents.check_untouched()


def test_guards_refuse_careless_commands_and_say_how_to_mean_them(
    residents: Residents,
) -> None:
    kilonova = residents.kilonova
    kubectl, mine = kilonova.kubectl, ("-n", kilonova.namespace)
    name = residents.find_on("hv1")
    meant = "If you mean it: kubectl annotate {} {} compute.kilonova.dev/allow-delete="
    for crd in map(build_crd_name, GUARDED_CRDS):
        told = is_refused(kubectl, "delete", "crd", crd)
        assert meant.format("crd", crd) in told
    for namespace in (HOST_NAMESPACE, "kilonova-hosts", NAMESPACE, kilonova.namespace):
        told = is_refused(kubectl, "delete", "namespace", namespace)
        assert meant.format("namespace", namespace) in told
    of_host = ("delete", "instances", residents.uuids[name], "-n", HOST_NAMESPACE)
    told = is_refused(kubectl, *of_host)
    assert f"Delete Server {kilonova.namespace}/{name}" in told
    assert "group kilonova:break-glass may delete Instances" in told
    kilonova.patch_spec(name, deletion={"protected": True})
    told = is_refused(kubectl, "delete", "servers", name, *mine)
    assert "set spec.deletion.protected to false first" in told
    kilonova.patch_spec(name, deletion={"protected": False})
    without = ("--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    kubectl.run("patch", "servers", name, *mine, *without)
    held_by = kilonova.server(name)["metadata"]["finalizers"]
    assert "compute.kilonova.dev/server" in held_by  # put back at once
    residents.check_untouched()


@pytest.mark.usefixtures("unguarded", "nothing_happens")
def test_a_deleted_instance_comes_back_over_its_running_guest(
    residents: Residents,
) -> None:
    before = find_instance(residents, "hv1")
    assert before is not None
    residents.kilonova.kubectl.delete(
        "instances", before["metadata"]["name"], HOST_NAMESPACE
    )
    await_other_instance(residents, "hv1", before["metadata"]["uid"])
    await_whole(residents)


@pytest.mark.usefixtures("unguarded")
def test_a_deleted_host_namespace_comes_back_with_its_orders_and_works(
    residents: Residents, kilonova: Kilonova
) -> None:
    before = find_instance(residents, "hv1")
    assert before is not None
    kilonova.kubectl.delete("namespace", HOST_NAMESPACE)
    await_other_instance(residents, "hv1", before["metadata"]["uid"])
    await_whole(residents)
    check_both_hosts_work(kilonova)  # its agent hears and answers
    await_no_leaks(kilonova)


@pytest.mark.usefixtures("unguarded")
def test_the_namespace_of_all_hosts_accounts_comes_back_by_an_upgrade(
    residents: Residents, kilonova: Kilonova
) -> None:
    kubectl = kilonova.kubectl
    old = {
        a["metadata"]["uid"] for a in kubectl.items("serviceaccounts", HOSTS_NAMESPACE)
    }
    with hearing_domains(kilonova.cluster.hypervisors) as events:
        kubectl.delete("namespace", HOSTS_NAMESPACE)
        residents.check_untouched()
        upgrade_chart(kubectl, RELEASE)
        await_accounts(kubectl, but_not=old)
        await_whole(residents)
    assert events.heard == []
    check_both_hosts_work(kilonova)


@pytest.mark.usefixtures("unguarded", "nothing_happens")
def test_the_other_crds_deleted_leave_every_guest_and_come_back_by_an_upgrade(
    residents: Residents,
) -> None:
    kubectl = residents.kilonova.kubectl
    saved = [item for kind in PEOPLES_KINDS for item in kubectl.items(kind)]
    hosts = {h["metadata"]["uid"] for h in kubectl.items("computehosts")}
    delete_crds(kubectl, *PEOPLES_KINDS, *OPERATORS_KINDS)
    residents.check_untouched()
    bring_crds_back(kubectl)
    kubectl.apply(*(build_anew(item) for item in saved))
    await_new_hosts(residents.kilonova, but_not=hosts)
    await_whole(residents)


@pytest.mark.usefixtures("unguarded", "nothing_happens")
def test_deleted_crds_leave_every_guest_which_is_adopted_by_its_applied_server(
    residents: Residents,
) -> None:
    kubectl = residents.kilonova.kubectl
    saved = {name: residents.kilonova.server(name) for name in residents.uuids}
    delete_crds(kubectl, *GUARDED_CRDS)
    residents.check_untouched()
    bring_crds_back(kubectl)
    for name, uuid in residents.uuids.items():
        server = residents.kilonova.build_server(name)
        server["spec"] = saved[name]["spec"]
        server["metadata"]["annotations"] = {"compute.kilonova.dev/adopt": uuid}
        kubectl.apply(server)
    await_whole(residents)
    for name in residents.uuids:
        assert (
            residents.kilonova.server(name)["metadata"]["uid"]
            != (saved[name]["metadata"]["uid"])
        )
    for name in residents.uuids:
        assert "boots=2" not in residents.kilonova.console(name)
