"""What a careless hand removes comes back, and no guest notices.

First with the guards on, which refuse each such command and say how to mean it;
then with the guards off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kilonova_lab.deploy.install import NAMESPACE, RELEASE
from kilonova_lab.deploy.kubectl import Kubectl
from kilonova_lab.errors import CommandFailed
from kilonova_lab.folders import REPOSITORY
from support.kilonova import Kilonova
from support.residents import Residents, await_no_leaks, residents
from support.waiting import eventually

__all__ = ["residents"]

CRDS = tuple(f"{kind}.compute.kilonova.dev" for kind in ("servers", "instances"))
HOST_NAMESPACE = "kilonova-host-hv1"
AGAIN_SECONDS = 60.0


def is_refused(kubectl: Kubectl, *command: str) -> str:
    """Try a command without doing it; return why it is refused, or nothing."""
    try:
        kubectl.run(*command, "--dry-run=server")
    except CommandFailed as refused:
        return str(refused)
    return ""


def switch_guards(kubectl: Kubectl, *, on: bool) -> None:
    """Turn the guards on or off, and wait until the API server knows."""
    chart = str(REPOSITORY / "charts" / "kilonova")
    kubectl.run_helm(
        *("upgrade", RELEASE, chart, "-n", NAMESPACE, "--reuse-values"),
        *("--set", f"guards.enabled={str(on).lower()}"),
    )
    eventually(
        lambda: (
            all(bool(is_refused(kubectl, "delete", "crd", c)) == on for c in CRDS)
            and bool(is_refused(kubectl, "delete", "namespace", HOST_NAMESPACE)) == on
        ),
        f"the guards are {'on' if on else 'off'}",
    )


@pytest.fixture(scope="module")
def unguarded(installed: Kilonova) -> Iterator[None]:
    """The guards are off."""
    switch_guards(installed.kubectl, on=False)
    yield
    switch_guards(installed.kubectl, on=True)
    # An API server (1.36) that lost the last policy over a kind of parameter goes
    # on with that kind as it was: the list of guarded namespaces stands still.
    apiserver = installed.cluster.apiserver
    apiserver.kill()  # at once: a polite end outlasts the operator's Lease
    apiserver.start()
    apiserver.wait_until_ready()


def find_instance(residents: Residents, host: str) -> dict[str, Any] | None:
    """Return the Instance of the resident of a host."""
    name = residents.uuids[residents.find_on(host)]
    return residents.kilonova.kubectl.find("instances", name, f"kilonova-host-{host}")


def await_other_instance(residents: Residents, host: str, uid: str) -> None:
    def there() -> bool:
        found = find_instance(residents, host)
        return found is not None and found["metadata"]["uid"] != uid

    eventually(there, f"the Instance on {host} is back", timeout_seconds=AGAIN_SECONDS)


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
    for crd in CRDS:
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


@pytest.mark.usefixtures("unguarded")
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
    for name in ("new-a", "new-b"):  # and its agent hears and answers
        kilonova.create_server(name, userData="new")
    placed = {kilonova.await_ready(name)["host"] for name in ("new-a", "new-b")}
    assert "hv1" in placed
    kilonova.delete_all_servers()
    await_no_leaks(kilonova)


@pytest.mark.usefixtures("unguarded")
def test_deleted_crds_leave_every_guest_which_is_adopted_by_its_applied_server(
    residents: Residents,
) -> None:
    kubectl, namespace = residents.kilonova.kubectl, residents.kilonova.namespace
    saved = {name: residents.kilonova.server(name) for name in residents.uuids}
    for crd in CRDS:
        kubectl.run("delete", "crd", crd, "--wait=false")
    eventually(
        lambda: all(
            "deletionTimestamp" in residents.kilonova.server(name)["metadata"]
            for name in residents.uuids
        ),
        "the Servers are marked with their CRD",
    )
    for name in residents.uuids:
        kubectl.run(
            *("patch", "servers", name, "-n", namespace, "--type=merge"),
            *("-p", '{"metadata": {"finalizers": null}}'),
        )
    for crd in CRDS:
        kubectl.run("wait", "--for=delete", f"crd/{crd}", "--timeout=60s")
    residents.check_untouched()
    chart = str(REPOSITORY / "charts" / "kilonova-crds")
    kubectl.run_helm("upgrade", "kilonova-crds", chart, "-n", NAMESPACE, "--wait")
    for crd in CRDS:
        kubectl.run("wait", "--for=condition=Established", f"crd/{crd}")
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
