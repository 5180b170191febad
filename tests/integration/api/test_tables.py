"""The tables that people read, as a real kubectl prints them."""

import json
import re

import pytest

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


@pytest.mark.usefixtures("shop")
def test_kubectl_get_nova_lists_what_a_tenant_owns(admin: Cli) -> None:
    shown = admin.kubectl("get", "nova", "-n", "shop", "-o", "name").split()
    assert shown == [
        "network.compute.kilonova.dev/private",
        "server.compute.kilonova.dev/web-0",
    ]


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
