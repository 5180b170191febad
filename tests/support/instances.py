"""Builders of Instances: orders for a host's agent."""

import base64
import hashlib
import uuid
from typing import Any

from kilonova_api.names import host_namespace


def make_instance(
    *,
    host: str = "hv1",
    name: str | None = None,
    image: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Build the body of an Instance; ``spec`` takes camelCase fields."""
    guest = name or str(uuid.uuid4())
    return {
        "apiVersion": "compute.kilonova.dev/v1alpha1",
        "kind": "Instance",
        "metadata": {"name": guest, "namespace": host_namespace(host)},
        "spec": {
            "server": {
                "cluster": "c1",
                "namespace": "shop",
                "name": "web-0",
                "uid": guest,
            },
            "cell": "cell1",
            "host": host,
            "writer": 1,
            "placementGeneration": 1,
            "serverGeneration": 1,
            "buildId": "b1",
            "minAgentVersion": "0.1.0",
            "powerState": "Manual",
            "flavorName": "tiny",
            "flavor": {"vcpus": 1, "ramMiB": 16},
            "imageName": "blank",
            "image": image
            or {
                "url": "http://192.0.2.1/blank.qcow2",
                "checksum": f"sha256:{'0' * 64}",
                "format": "qcow2",
            },
            "hostname": "web-0",
            **spec,
        },
    }


def make_nic_body(
    *,
    address: str = "10.20.0.5",
    mac: str = "fa:16:3e:00:00:05",
    network_id: str = "0a1b2c3d-0000-4000-8000-000000000001",
    **fields: Any,
) -> dict[str, Any]:
    """Build a NIC of an Instance on a NAT network."""
    return {
        "name": "eth0",
        "networkId": network_id,
        "network": "Network shop/private",
        "type": "NAT",
        "cidr": "10.20.0.0/24",
        "gateway": "10.20.0.1",
        "address": address,
        "mac": mac,
        "portSecurity": True,
        **fields,
    }


def make_user_data(instance: dict[str, Any], data: bytes) -> dict[str, Any]:
    """Put user data into an Instance's spec and build its Secret."""
    name = f"{instance['metadata']['name']}-user-data"
    instance["spec"]["userData"] = {
        "name": name,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": instance["metadata"]["namespace"],
        },
        "data": {"userData": base64.b64encode(data).decode()},
    }
