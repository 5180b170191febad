"""The tables that people read, as a real kubectl prints them."""

import json
import re

import pytest

from support.chart_manifests import build_aggregate, build_group, build_quota
from support.crds import REPOSITORY
from support.kubectl import Cli

EXAMPLE = REPOSITORY / "examples" / "web-server"
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Running",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "observedGeneration": 1,
    "message": "",
}
ACTIVE = {
    "observedGeneration": 1,
    "state": "ACTIVE",
    "powerState": "Running",
    "cell": "cell1",
    "host": "hv1",
    "zone": "az1",
    "address": "10.20.0.5",
    "conditions": [READY],
}
NETWORK = {
    "observedGeneration": 1,
    "cidr": "10.20.0.0/24",
    "reach": "host",
    "used": "5/252",
    "conditions": [READY],
}


@pytest.fixture(scope="module")
def shop(admin: Cli) -> None:
    """The example, with the status that its operator would write."""
    admin.run("kubectl", "create", "namespace", "shop")
    admin.kubectl("apply", "-f", str(EXAMPLE))
    _set_status(admin, "nsrv/web-0", ACTIVE)
    _set_status(admin, "nnet/private", NETWORK)


@pytest.mark.usefixtures("shop")
def test_a_running_server(admin: Cli) -> None:
    assert _get(admin, "nsrv", "web-0") == _table(
        """
        NAME    STATUS   TASK   READY   FLAVOR     ADDRESS     ZONE   WHY   AGE
        web-0   ACTIVE          True    m1.small   10.20.0.5   az1          41s
        """
    )


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("kind", ["nsrv", "nnet"])
def test_a_table_fits_into_80_columns(admin: Cli, kind: str) -> None:
    lines = admin.kubectl("get", kind, "-n", "shop").splitlines()
    assert max(map(len, lines)) <= 80


@pytest.mark.usefixtures("shop")
def test_a_running_server_in_wide(admin: Cli) -> None:
    assert _get(admin, "nsrv", "web-0", "-o", "wide") == _table(
        """
        NAME    STATUS   TASK   READY   FLAVOR     ADDRESS     ZONE   WHY   AGE   POWER     HOST   CELL    IMAGE
        web-0   ACTIVE          True    m1.small   10.20.0.5   az1          41s   Running   hv1    cell1   debian-13
        """  # noqa: E501 - as a terminal shows it
    )


@pytest.mark.usefixtures("shop")
def test_a_network(admin: Cli) -> None:
    assert _get(admin, "nnet") == _table(
        """
        NAME      TYPE   CIDR           REACH   USED    READY   AGE
        private   NAT    10.20.0.0/24   host    5/252   True    41s
        """
    )


@pytest.fixture(scope="module")
def spread(admin: Cli) -> None:
    """A group over zones and a quota, with the status their operator would write."""
    admin.run("kubectl", "create", "namespace", "shop")
    admin.create(build_group("db", "shop", policy="AntiAffinity", topology="Zone"))
    waits = {**READY, "status": "False", "reason": "Waiting"}
    placed = {"members": 3, "placed": "2/3", "domains": "az1,az2"}
    _set_status(
        admin, "nsg/db", {**placed, "observedGeneration": 1, "conditions": [waits]}
    )
    admin.create(build_quota("shop", instances=20, cores=64, ramMiB=131072))
    used = {"instances": "5/20", "cores": "21/64", "ramMiB": "43008/131072"}
    _set_status(admin, "nquota/quota", {**used, "observedGeneration": 1})


@pytest.mark.usefixtures("spread")
def test_a_server_group(admin: Cli) -> None:
    assert _get(admin, "nsg", "db") == _table(
        """
        NAME   POLICY         SPREAD   MEMBERS   DOMAINS   READY   AGE
        db     AntiAffinity   Zone     2/3       az1,az2   False   41s
        """
    )


@pytest.mark.usefixtures("spread")
def test_a_quota(admin: Cli) -> None:
    assert _get(admin, "nquota") == _table(
        """
        NAME    INSTANCES   CORES   RAM-MIB        AGE
        quota   5/20        21/64   43008/131072   41s
        """
    )


def test_a_flavor_of_dedicated_cores(admin: Cli) -> None:
    size = {"vcpus": 8, "ramMiB": 16384, "rootGiB": 40}
    numa = {"cpu": {"policy": "Dedicated"}, "numa": {"nodes": 2}}
    manifest = {
        "apiVersion": "compute.kilonova.dev/v1alpha1",
        "kind": "Flavor",
        "metadata": {"name": "numa.8"},
        "spec": size | numa,
    }
    admin.create(manifest)
    _set_status(admin, "nflv/numa.8", {"observedGeneration": 1, "conditions": [READY]})
    assert _get(admin, "nflv", "numa.8") == _table(
        """
        NAME     VCPUS   RAM-MIB   ROOT-GIB   CPU         NUMA   READY   AGE
        numa.8   8       16384     40         Dedicated   2      True    41s
        """
    )


def test_an_aggregate_that_is_a_zone(admin: Cli) -> None:
    admin.create(build_aggregate("az1", availabilityZone="az1", hosts=["hv1"]))
    status = {"observedGeneration": 1, "hosts": 1, "conditions": [READY]}
    _set_status(admin, "nagg/az1", status)
    assert _get(admin, "nagg", "az1") == _table(
        """
        NAME   ZONE   HOSTS   READY   AGE
        az1    az1    1       True    41s
        """
    )


@pytest.mark.usefixtures("shop")
def test_a_server_that_was_stopped_from_git(admin: Cli) -> None:
    admin.kubectl(
        "apply", "--server-side", "--field-manager=night", "--force-conflicts",
        "-f", str(EXAMPLE / "stop" / "web-0.yaml"),
    )  # fmt: skip
    assert admin.get("nsrv", "web-0", "-n", "shop")["spec"]["powerState"] == "Stopped"
    stopped = {**ACTIVE, "state": "SHUTOFF", "powerState": "Shutdown"}
    _set_status(admin, "nsrv/web-0", stopped)
    assert _get(admin, "nsrv", "web-0") == _table(
        """
        NAME    STATUS    TASK   READY   FLAVOR     ADDRESS     ZONE   WHY   AGE
        web-0   SHUTOFF          True    m1.small   10.20.0.5   az1          41s
        """
    )


@pytest.mark.usefixtures("shop")
def test_a_server_is_stopped_by_one_patch(admin: Cli) -> None:
    stop = json.dumps({"spec": {"powerState": "Stopped"}})
    admin.kubectl("patch", "nsrv", "web-0", "-n", "shop", "--type", "merge", "-p", stop)


@pytest.mark.usefixtures("shop", "spread")
def test_kubectl_get_nova_lists_what_a_tenant_owns(admin: Cli) -> None:
    shown = admin.kubectl("get", "nova", "-n", "shop", "-o", "name").split()
    kinds = sorted(name.partition(".")[0] for name in shown)
    assert kinds == ["network", "server", "servergroup", "serverquota"]


def _set_status(admin: Cli, target: str, status: object) -> None:
    body = json.dumps({"status": status})
    admin.kubectl(
        "patch",
        target,
        "-n",
        "shop",
        "--subresource=status",
        "--type=merge",
        "-p",
        body,
    )


def _get(admin: Cli, *arguments: str) -> str:
    """Return the table as it is 41 s after the objects were made."""
    shown = admin.kubectl("get", *arguments, "-n", "shop")
    # The column is as wide as its widest cell: of 2 letters or of 6.
    shown = re.sub(r"(?<= )(\d+s|\d+m(\d+s)?) *", "41s   ", shown)
    return _table(re.sub(r"AGE *", "AGE   ", shown))


def _table(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())
