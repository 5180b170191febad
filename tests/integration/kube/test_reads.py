import asyncio
import base64
from contextlib import aclosing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.clock import Deadline, SystemClock
from kilonova_api.kube.config import load_in_cluster, load_kubeconfig
from kilonova_api.kube.connection import with_token
from kilonova_api.kube.errors import Forbidden, NotFound, Unauthorized, Unreachable
from kilonova_api.kube.resources import (
    CONFIG_MAP,
    NAMESPACE,
    SECRET,
    SERVICE_ACCOUNT,
    Resource,
)
from kilonova_lab.controlplane import ControlPlane
from kilonova_lab.pki import CertificateAuthority


def _authority(control_plane: ControlPlane) -> str:
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    if "certificate-authority" in cluster:
        return Path(cluster["certificate-authority"]).read_text()
    return base64.b64decode(cluster["certificate-authority-data"]).decode()


async def test_a_big_list_comes_in_pages_of_one_version(
    kube: KubeClient, namespace: str
) -> None:
    for number in range(7):
        labels = {"even": str(number % 2 == 0)}
        metadata = {"namespace": namespace, "name": f"n{number}", "labels": labels}
        await kube.create(CONFIG_MAP, {"metadata": metadata})
    versions, names = set(), []
    async with aclosing(
        kube.pages(CONFIG_MAP, namespace, label_selector="even", limit=3)
    ) as pages:
        async for page in pages:
            assert len(page.items) <= 3
            versions.add(page.resource_version)
            names += [item["metadata"]["name"] for item in page.items]
    assert len(versions) == 1
    assert names == [f"n{number}" for number in range(7)]
    even = await kube.list(CONFIG_MAP, namespace, label_selector="even=True")
    assert [item["metadata"]["name"] for item in even.items] == ["n0", "n2", "n4", "n6"]
    one = await kube.list(CONFIG_MAP, namespace, field_selector="metadata.name=n3")
    assert len(one.items) == 1


async def test_a_watch_gives_what_happens_after_a_version(
    kube: KubeClient, namespace: str
) -> None:
    version = (await kube.list(CONFIG_MAP, namespace)).resource_version
    body = {"metadata": {"namespace": namespace, "name": "a"}}
    made = await kube.create(CONFIG_MAP, body)
    uid = made["metadata"]["uid"]
    await kube.delete(CONFIG_MAP, namespace, "a", uid=uid)
    events = kube.watch(CONFIG_MAP, namespace, resource_version=version)
    async with aclosing(events), asyncio.timeout(10):
        seen = [await anext(events), await anext(events)]
        while seen[0].object["metadata"]["name"] != "a":  # kube-root-ca.crt
            seen = [seen[1], await anext(events)]
    assert [event.type for event in seen] == ["ADDED", "DELETED"]
    assert seen[1].object["metadata"]["uid"] == uid


async def test_a_kind_that_is_not_served_is_not_found(kube: KubeClient) -> None:
    unknown = Resource("nobody.example.org", "v1", "widgets", "Widget")
    with pytest.raises(NotFound):
        await kube.list(unknown)


async def test_an_account_gets_a_token_that_opens_what_it_may(
    kube: KubeClient, control_plane: ControlPlane, namespace: str
) -> None:
    metadata = {"namespace": namespace, "name": "agent"}
    await kube.create(SERVICE_ACCOUNT, {"metadata": metadata})
    issued = await kube.create_token(namespace, "agent", expiration_seconds=600)

    async def provider() -> str:
        return issued.token

    connection = with_token(control_plane.url, _authority(control_plane), provider)
    async with KubeClient(connection) as agent:
        assert "gitVersion" in await agent.get_path("/version")
        with pytest.raises(Forbidden, match="cannot get resource") as caught:
            await agent.get(SECRET, namespace, "anything")
        assert issued.token not in str(caught.value)


async def test_a_token_that_nobody_issued_is_unauthorized(
    control_plane: ControlPlane,
) -> None:
    async def provider() -> str:
        return "hunter2"

    connection = with_token(control_plane.url, _authority(control_plane), provider)
    async with KubeClient(connection) as stranger:
        with pytest.raises(Unauthorized) as caught:
            await stranger.list(NAMESPACE)
    assert "hunter2" not in str(caught.value)


async def test_what_a_pod_is_given_opens_the_api_server(
    kube: KubeClient, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    metadata = {"namespace": namespace, "name": "operator"}
    await kube.create(SERVICE_ACCOUNT, {"metadata": metadata})
    issued = await kube.create_token(namespace, "operator", expiration_seconds=600)
    (tmp_path / "ca.crt").write_text(_authority(control_plane))
    (tmp_path / "token").write_text(issued.token + "\n")
    server = urlsplit(control_plane.url)
    environ = {
        "KUBERNETES_SERVICE_HOST": server.hostname or "",
        "KUBERNETES_SERVICE_PORT": str(server.port),
    }
    clock = SystemClock()
    connection = load_in_cluster(clock=clock, folder=tmp_path, environ=environ)
    async with KubeClient(connection) as pod:
        assert "gitVersion" in await pod.get_path("/version")


async def test_a_kubeconfig_is_its_user_and_shows_no_secret(
    control_plane: ControlPlane,
) -> None:
    path = control_plane.write_kubeconfig("alice", groups=["team"])
    connection = await load_kubeconfig(path, clock=SystemClock())
    async with KubeClient(connection) as alice:
        with pytest.raises(Forbidden, match='User "alice"'):
            await alice.list(NAMESPACE)
        assert alice.clock_skew_seconds == pytest.approx(0, abs=5)
    assert "PRIVATE" not in repr(connection)


async def test_a_server_of_another_authority_is_not_talked_to(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    stranger = CertificateAuthority(tmp_path / "pki")
    stranger.create()
    asked: list[int] = []

    async def provider() -> str:
        asked.append(1)
        return "hunter2"

    authority = stranger.certificate_path.read_text()
    connection = with_token(control_plane.url, authority, provider)
    clock = SystemClock()
    async with KubeClient(connection, clock=clock) as client:
        with pytest.raises(Unreachable, match="certificate verify failed") as caught:
            await client.get_path("/version", deadline=Deadline.after(clock, 1))
    assert not caught.value.sent
    assert asked
    assert "hunter2" not in str(caught.value)
