import pytest

from kilonova_api.kube.resources import (
    CUSTOM_RESOURCE_DEFINITION,
    LEASE,
    SECRET,
    Key,
    Resource,
)

SERVER = Resource("compute.kilonova.dev", "v1alpha1", "servers", "Server")


def test_paths_follow_group_scope_and_subresource() -> None:
    assert SECRET.path("shop", "web-0") == "/api/v1/namespaces/shop/secrets/web-0"
    assert SERVER.path("shop", "web-0", subresource="status") == (
        "/apis/compute.kilonova.dev/v1alpha1/namespaces/shop/servers/web-0/status"
    )
    assert LEASE.collection_path() == "/apis/coordination.k8s.io/v1/leases"
    assert CUSTOM_RESOURCE_DEFINITION.path(None, "a.b") == (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/a.b"
    )


@pytest.mark.parametrize("name", ["", ".", "..", "../secrets/x", "a/b", "a%2fb"])
def test_a_name_that_could_reach_another_object_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        SECRET.path("shop", name)


def test_a_name_is_escaped_where_it_would_end_the_path() -> None:
    assert SECRET.path("shop", "a?b#c d").endswith("/secrets/a%3Fb%23c%20d")


def test_a_namespaced_object_needs_a_namespace_and_a_cluster_one_none() -> None:
    with pytest.raises(ValueError, match="needs a namespace"):
        SECRET.path(None, "web-0")
    with pytest.raises(ValueError, match="cluster-scoped"):
        CUSTOM_RESOURCE_DEFINITION.path("shop", "a.b")


def test_a_key_reads_as_namespace_and_name() -> None:
    assert str(Key.of("shop", "web-0")) == "shop/web-0"
    assert str(Key.of(None, "m1.small")) == "m1.small"
    with pytest.raises(ValueError, match="needs a name"):
        Key.of("shop", None)
