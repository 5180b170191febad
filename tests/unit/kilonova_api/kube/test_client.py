from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from kilonova_api.kube.api import BoundObject
from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.errors import Conflict, Gone, Invalid
from kilonova_api.kube.resources import LEASE, SECRET, Resource
from support.scripted_api import (
    answer_json,
    answer_status,
    build_object,
    scripted_api,
)

SERVER = Resource("compute.kilonova.dev", "v1alpha1", "servers", "Server")
ClientFactory = Callable[..., KubeClient]


async def test_an_apply_to_an_existing_object_carries_its_uid(
    client_of: ClientFactory,
) -> None:
    body = {"metadata": {"namespace": "shop", "name": "web-0"}, "status": {"a": 1}}
    async with scripted_api(answer_json({"metadata": {"uid": "u1"}})) as api:
        await client_of(api).apply_existing(
            SERVER, body, uid="u1", field_manager="kilonova-super", subresource="status"
        )
    seen = api.seen[0]
    assert (seen.method, seen.path) == (
        "PATCH",
        "/apis/compute.kilonova.dev/v1alpha1/namespaces/shop/servers/web-0/status",
    )
    assert seen.query == {"fieldManager": "kilonova-super", "force": "true"}
    assert seen.headers["Content-Type"] == "application/apply-patch+yaml"
    assert seen.body == {
        "apiVersion": "compute.kilonova.dev/v1alpha1",
        "kind": "Server",
        "metadata": {"namespace": "shop", "name": "web-0", "uid": "u1"},
        "status": {"a": 1},
    }


async def test_writes_that_must_name_a_uid_refuse_to_go_out_without(
    client_of: ClientFactory,
) -> None:
    body = {"metadata": {"namespace": "shop", "name": "web-0"}}
    async with scripted_api(answer_json({})) as api:
        client = client_of(api)
        with pytest.raises(ValueError, match="needs its uid"):
            await client.apply_existing(SERVER, body, uid="", field_manager="m")
        with pytest.raises(ValueError, match="needs its uid"):
            await client.delete(SERVER, "shop", "web-0", uid="")
        with pytest.raises(ValueError, match="needs uid and version"):
            await client.replace(SERVER, body)
        with pytest.raises(ValueError, match="begin with a test"):
            await client.json_patch(SERVER, "shop", "web-0", [{"op": "remove"}])
    assert api.seen == []


async def test_a_delete_carries_its_preconditions(client_of: ClientFactory) -> None:
    async with scripted_api(answer_json({})) as api:
        await client_of(api).delete(
            SERVER, "shop", "web-0", uid="u1", resource_version="7"
        )
    assert api.seen[0].method == "DELETE"
    assert api.seen[0].body["preconditions"] == {"uid": "u1", "resourceVersion": "7"}


async def test_find_gives_none_only_for_what_does_not_exist(
    client_of: ClientFactory,
) -> None:
    answers = answer_status(404, "NotFound"), answer_status(403, "Forbidden")
    async with scripted_api(*answers) as api:
        client = client_of(api)
        assert await client.find(SECRET, "shop", "web-0") is None
        with pytest.raises(Exception, match="403 Forbidden"):
            await client.find(SECRET, "shop", "web-0")


def _page(names: list[str], position: str = "") -> dict[str, object]:
    items = [build_object(name, 5) for name in names]
    return {
        "items": items,
        "metadata": {"resourceVersion": "9", "continue": position},
    }


async def test_a_list_joins_its_pages(client_of: ClientFactory) -> None:
    pages = answer_json(_page(["a", "b"], "next")), answer_json(_page(["c"]))
    async with scripted_api(*pages) as api:
        found = await client_of(api).list(LEASE, "shop", label_selector="x=y")
    assert [item["metadata"]["name"] for item in found.items] == ["a", "b", "c"]
    assert found.resource_version == "9"
    assert [seen.query.get("continue") for seen in api.seen] == [None, "next"]
    assert {seen.query["labelSelector"] for seen in api.seen} == {"x=y"}
    assert not any("resourceVersion" in seen.query for seen in api.seen)


async def test_a_list_whose_position_expired_begins_anew(
    client_of: ClientFactory,
) -> None:
    script = (
        answer_json(_page(["old"], "next")),
        answer_status(410, "Expired"),
        answer_json(_page(["new"])),
    )
    async with scripted_api(*script) as api:
        found = await client_of(api).list(LEASE, "shop")
    assert [item["metadata"]["name"] for item in found.items] == ["new"]


async def test_a_list_that_expires_each_time_gives_up(client_of: ClientFactory) -> None:
    async with scripted_api(answer_status(410, "Expired")) as api:
        with pytest.raises(Gone):
            await client_of(api).list(LEASE, "shop")
    assert len(api.seen) == 3


async def test_a_finalizer_comes_off_by_a_patch_that_tests_the_uid(
    client_of: ClientFactory,
) -> None:
    obj = build_object("web-0", 5)
    obj["metadata"]["finalizers"] = ["other", "ours"]
    async with scripted_api(answer_json({})) as api:
        await client_of(api).remove_finalizer(SERVER, obj, "ours")
    assert api.seen[0].body == [
        {"op": "test", "path": "/metadata/uid", "value": "uid-web-0"},
        {"op": "test", "path": "/metadata/finalizers/1", "value": "ours"},
        {"op": "remove", "path": "/metadata/finalizers/1"},
    ]


async def test_a_finalizer_that_moved_in_the_list_is_found_again(
    client_of: ClientFactory,
) -> None:
    obj, moved = build_object("web-0", 5), build_object("web-0", 6)
    obj["metadata"]["finalizers"] = ["other", "ours"]
    moved["metadata"]["finalizers"] = ["ours"]
    script = answer_status(422, "Invalid"), answer_json(moved), answer_json({})
    async with scripted_api(*script) as api:
        await client_of(api).remove_finalizer(SERVER, obj, "ours")
    assert [seen.method for seen in api.seen] == ["PATCH", "GET", "PATCH"]
    assert api.seen[2].body[-1]["path"] == "/metadata/finalizers/0"


@pytest.mark.parametrize("after", ["gone", "replaced", "without"])
async def test_a_finalizer_that_is_off_already_is_fine(
    client_of: ClientFactory, after: str
) -> None:
    obj = build_object("web-0", 5)
    obj["metadata"]["finalizers"] = ["ours"]
    replaced = build_object("web-0", 6, uid="another")
    replaced["metadata"]["finalizers"] = ["ours"]
    now = {
        "gone": answer_status(404, "NotFound"),
        "replaced": answer_json(replaced),
        "without": answer_json(build_object("web-0", 6)),
    }[after]
    async with scripted_api(answer_status(422, "Invalid"), now) as api:
        await client_of(api).remove_finalizer(SERVER, obj, "ours")
    assert len(api.seen) == 2


async def test_a_finalizer_patch_that_is_refused_for_another_reason_is_an_error(
    client_of: ClientFactory,
) -> None:
    obj = build_object("web-0", 5)
    obj["metadata"]["finalizers"] = ["ours"]

    refused = answer_status(422, "Invalid", "a policy says no")
    script = [refused, answer_json(obj)] * 4 + [refused]
    async with scripted_api(*script) as api:
        with pytest.raises(Invalid, match="a policy says no"):
            await client_of(api).remove_finalizer(SERVER, obj, "ours")


async def test_an_apply_says_conflict_when_the_object_is_another(
    client_of: ClientFactory,
) -> None:
    async with scripted_api(answer_status(409, "Conflict", "uid mismatch")) as api:
        with pytest.raises(Conflict, match="uid mismatch"):
            await client_of(api).apply_existing(
                SERVER,
                {"metadata": {"namespace": "shop", "name": "web-0"}},
                uid="u1",
                field_manager="m",
            )
    assert len(api.seen) == 1


async def test_a_token_comes_with_its_expiry_and_stays_out_of_repr(
    client_of: ClientFactory,
) -> None:
    status = {"token": "hunter2", "expirationTimestamp": "2026-01-01T01:00:00Z"}
    async with scripted_api(answer_json({"status": status})) as api:
        issued = await client_of(api).create_token(
            "kilonova-hosts",
            "hv1",
            expiration_seconds=3600,
            bound_object=BoundObject("v1", "Pod", "agent-x", "u9"),
        )
    assert issued.token == "hunter2"
    assert "hunter2" not in repr(issued)
    assert issued.expires_at == datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert api.seen[0].path == (
        "/api/v1/namespaces/kilonova-hosts/serviceaccounts/hv1/token"
    )
    assert api.seen[0].body["spec"]["boundObjectRef"]["uid"] == "u9"
