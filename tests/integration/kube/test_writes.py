import asyncio
from typing import Any

import pytest

from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.errors import (
    AlreadyExists,
    Conflict,
    Invalid,
    NotFound,
    SchemaTooOld,
)
from kilonova_api.kube.resources import CONFIG_MAP, SECRET, KubeObject, Resource

AWKWARD = "tab\t nel\x85 del\x7f bom\ufeff line\u2028 para\u2029 \U0001f600 é\x00\x1b"


def _map(namespace: str, name: str = "a", **data: str) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}, "data": data}


async def _apply_new(kube: KubeClient, body: dict[str, Any]) -> KubeObject:
    return await kube.apply_new(CONFIG_MAP, body, field_manager="test")


async def test_an_apply_without_uid_brings_a_deleted_object_back_and_ours_does_not(
    kube: KubeClient, namespace: str
) -> None:
    body = _map(namespace, x="1")
    made = await _apply_new(kube, body)
    uid = made["metadata"]["uid"]
    await kube.delete(CONFIG_MAP, namespace, "a", uid=uid)
    with pytest.raises(Conflict, match="uid"):
        await kube.apply_existing(CONFIG_MAP, body, uid=uid, field_manager="test")
    assert await kube.find(CONFIG_MAP, namespace, "a") is None
    await _apply_new(kube, body)  # what the uid protects from
    assert await kube.find(CONFIG_MAP, namespace, "a") is not None


async def test_an_apply_for_an_object_that_was_replaced_is_a_conflict(
    kube: KubeClient, namespace: str
) -> None:
    old = await _apply_new(kube, _map(namespace, x="old"))
    uid = old["metadata"]["uid"]
    await kube.delete(CONFIG_MAP, namespace, "a", uid=uid)
    await _apply_new(kube, _map(namespace, x="new"))
    late = _map(namespace, x="late")
    with pytest.raises(Conflict):
        await kube.apply_existing(CONFIG_MAP, late, uid=uid, field_manager="test")
    assert (await kube.get(CONFIG_MAP, namespace, "a"))["data"] == {"x": "new"}


async def test_an_apply_for_an_older_version_is_a_conflict(
    kube: KubeClient, namespace: str
) -> None:
    first = await _apply_new(kube, _map(namespace, x="1"))
    uid, version = first["metadata"]["uid"], first["metadata"]["resourceVersion"]
    options: dict[str, Any] = {"uid": uid, "field_manager": "test"}
    await kube.apply_existing(CONFIG_MAP, _map(namespace, x="2"), **options)
    with pytest.raises(Conflict):
        await kube.apply_existing(
            CONFIG_MAP, _map(namespace, x="3"), resource_version=version, **options
        )


async def _late_status(
    kube: KubeClient, namespace: str, widget: Resource
) -> tuple[KubeObject, dict[str, Any]]:
    """Give a widget that was deleted, and a status that was meant for it."""
    metadata = {"namespace": namespace, "name": "w"}
    body = {"metadata": metadata, "spec": {"size": 1}}
    made = await kube.apply_new(widget, body, field_manager="test")
    uid = made["metadata"]["uid"]
    status: dict[str, Any] = {
        "resource": widget,
        "body": {"metadata": metadata, "status": {"size": 2}},
        "uid": uid,
        "field_manager": "test",
        "subresource": "status",
    }
    written = await kube.apply_existing(**status)
    assert written["status"] == {"size": 2}
    assert written["spec"] == {"size": 1}
    await kube.delete(widget, namespace, "w", uid=uid)
    return written, status


async def test_a_status_of_a_gone_object_brings_nothing_back(
    kube: KubeClient, namespace: str, widget: Resource
) -> None:
    _, status = await _late_status(kube, namespace, widget)
    with pytest.raises((Conflict, NotFound)):
        await kube.apply_existing(**status)
    assert await kube.find(widget, namespace, "w") is None


async def test_a_status_with_the_version_read_never_lands_on_a_namesake(
    kube: KubeClient, namespace: str, widget: Resource
) -> None:
    read, status = await _late_status(kube, namespace, widget)
    body = {"metadata": {"namespace": namespace, "name": "w"}}
    await kube.apply_new(widget, body, field_manager="test")
    version = read["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await kube.apply_existing(**status, resource_version=version)
    assert "status" not in await kube.get(widget, namespace, "w")


async def test_a_status_without_it_lands_there_and_is_told_as_a_conflict(
    kube: KubeClient, namespace: str, widget: Resource
) -> None:
    _, status = await _late_status(kube, namespace, widget)
    body: dict[str, Any] = {"metadata": {"namespace": namespace, "name": "w"}}
    new = await kube.apply_new(widget, body, field_manager="test")
    uid = new["metadata"]["uid"]
    with pytest.raises(Conflict, match=f"another object, {uid}, was written"):
        await kube.apply_existing(**status)
    # The next status of the same manager leaves nothing of it.
    body["status"] = {"note": "its own"}
    healed = await kube.apply_existing(**status | {"uid": uid, "body": body})
    assert healed["status"] == {"note": "its own"}


async def test_a_field_that_the_crd_lacks_is_a_schema_too_old(
    kube: KubeClient, namespace: str, widget: Resource
) -> None:
    body = {"metadata": {"namespace": namespace, "name": "w"}, "spec": {"new": 1}}
    async with asyncio.timeout(5):
        with pytest.raises(SchemaTooOld, match=r"\.spec\.new.*Apply the CRDs"):
            await kube.apply_new(widget, body, field_manager="test")
        body["spec"] = {"size": 1}
        made = await kube.apply_new(widget, body, field_manager="test")
        body["spec"] = {"new": 1}
        with pytest.raises(SchemaTooOld):
            await kube.apply_existing(
                widget, body, uid=made["metadata"]["uid"], field_manager="test"
            )


async def test_a_value_that_the_schema_refuses_is_invalid(
    kube: KubeClient, namespace: str, widget: Resource
) -> None:
    body = {"metadata": {"namespace": namespace, "name": "w"}, "spec": {"size": 11}}
    with pytest.raises(Invalid, match=r"spec\.size.*less than or equal to 10"):
        await kube.apply_new(widget, body, field_manager="test")


async def test_what_is_wrong_in_a_secret_is_not_told(
    kube: KubeClient, namespace: str
) -> None:
    body = _map(namespace) | {"stringData": {"not a key!": "hunter2"}}
    with pytest.raises(Invalid) as caught:
        await kube.apply_new(SECRET, body, field_manager="test")
    assert str(caught.value) == f"apply Secret {namespace}/a: 422 Invalid"


async def test_any_text_is_stored_as_it_was_applied(
    kube: KubeClient, namespace: str
) -> None:
    await _apply_new(kube, _map(namespace, text=AWKWARD))
    assert (await kube.get(CONFIG_MAP, namespace, "a"))["data"]["text"] == AWKWARD


async def test_a_create_of_what_exists_says_so(
    kube: KubeClient, namespace: str
) -> None:
    await kube.create(CONFIG_MAP, _map(namespace))
    with pytest.raises(AlreadyExists):
        await kube.create(CONFIG_MAP, _map(namespace))


async def test_a_delete_means_one_object_in_one_version(
    kube: KubeClient, namespace: str
) -> None:
    made = await _apply_new(kube, _map(namespace, x="1"))
    uid, version = made["metadata"]["uid"], made["metadata"]["resourceVersion"]
    options = {"uid": uid}
    await kube.apply_existing(
        CONFIG_MAP, _map(namespace, x="2"), field_manager="test", **options
    )
    with pytest.raises(Conflict):
        await kube.delete(CONFIG_MAP, namespace, "a", uid="another")
    with pytest.raises(Conflict):
        await kube.delete(CONFIG_MAP, namespace, "a", uid=uid, resource_version=version)
    assert await kube.find(CONFIG_MAP, namespace, "a") is not None
    await kube.delete(CONFIG_MAP, namespace, "a", uid=uid)
    with pytest.raises(NotFound):
        await kube.delete(CONFIG_MAP, namespace, "a", uid=uid)


async def test_a_replace_of_an_older_version_is_a_conflict(
    kube: KubeClient, namespace: str
) -> None:
    made = await kube.create(CONFIG_MAP, _map(namespace, x="1"))
    await kube.replace(CONFIG_MAP, made | {"data": {"x": "2"}})
    with pytest.raises(Conflict):
        await kube.replace(CONFIG_MAP, made | {"data": {"x": "3"}})


async def _made_with_finalizers(
    kube: KubeClient, namespace: str, *finalizers: str
) -> KubeObject:
    body = _map(namespace)
    body["metadata"]["finalizers"] = list(finalizers)
    return await kube.create(CONFIG_MAP, body)


async def test_a_finalizer_comes_off_although_the_list_changed_meanwhile(
    kube: KubeClient, namespace: str
) -> None:
    ours, other = "example.org/ours", "example.org/other"
    seen = await _made_with_finalizers(kube, namespace, other, ours)
    await kube.delete(CONFIG_MAP, namespace, "a", uid=seen["metadata"]["uid"])
    await kube.remove_finalizer(CONFIG_MAP, seen, other)
    await kube.remove_finalizer(CONFIG_MAP, seen, ours)  # its place is another now
    assert await kube.find(CONFIG_MAP, namespace, "a") is None
    await kube.remove_finalizer(CONFIG_MAP, seen, ours)  # gone already


async def test_a_finalizer_of_a_namesake_stays(
    kube: KubeClient, namespace: str
) -> None:
    ours = "example.org/ours"
    old = await _made_with_finalizers(kube, namespace, ours)
    await kube.remove_finalizer(CONFIG_MAP, old, ours)
    await kube.delete(CONFIG_MAP, namespace, "a", uid=old["metadata"]["uid"])
    new = await _made_with_finalizers(kube, namespace, ours)
    await kube.remove_finalizer(CONFIG_MAP, old, ours)
    after = await kube.get(CONFIG_MAP, namespace, "a")
    assert after["metadata"]["finalizers"] == [ours]
    await kube.remove_finalizer(CONFIG_MAP, new, ours)


async def test_a_patch_whose_test_fails_is_invalid(
    kube: KubeClient, namespace: str
) -> None:
    await kube.create(CONFIG_MAP, _map(namespace, x="1"))
    test = {"op": "test", "path": "/data/x", "value": "2"}
    with pytest.raises(Invalid):
        await kube.json_patch(CONFIG_MAP, namespace, "a", [test])
