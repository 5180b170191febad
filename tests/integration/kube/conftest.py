"""A client of the session's API server, and a kind of the tests' own."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from secrets import token_hex
from typing import Any

import pytest

from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.clock import SystemClock
from kilonova_api.kube.config import load_kubeconfig
from kilonova_api.kube.errors import NotFound
from kilonova_api.kube.resources import CUSTOM_RESOURCE_DEFINITION, Resource
from kilonova_lab.controlplane import ControlPlane
from support.waiting import until


@pytest.fixture
async def kube(control_plane: ControlPlane) -> AsyncIterator[KubeClient]:
    clock = SystemClock()
    connection = await load_kubeconfig(control_plane.kubeconfig, clock=clock)
    async with KubeClient(connection, clock=clock, random=Random(1)) as client:
        yield client


@pytest.fixture
async def widget(kube: KubeClient) -> AsyncIterator[Resource]:
    """A custom kind with a status; it is served and, after the test, gone."""
    resource = Resource(f"t{token_hex(4)}.example.org", "v1", "widgets", "Widget")
    made = await kube.create(CUSTOM_RESOURCE_DEFINITION, _build_definition(resource))
    async with asyncio.timeout(30):
        await _wait_until_served(kube, resource)
    yield resource
    name, uid = made["metadata"]["name"], made["metadata"]["uid"]
    await kube.delete(CUSTOM_RESOURCE_DEFINITION, None, name, uid=uid)


async def _wait_until_served(kube: KubeClient, resource: Resource) -> None:
    async def is_served() -> bool:
        try:
            await kube.list(resource)
        except NotFound:
            return False
        return True

    await until(is_served, f"{resource.plural} are served")


def _build_definition(resource: Resource) -> dict[str, Any]:
    part = {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "maximum": 10},
            "note": {"type": "string"},
        },
    }
    schema = {"type": "object", "properties": {"spec": part, "status": part}}
    names = {"plural": resource.plural, "singular": "widget", "kind": resource.kind}
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
    }
