"""How kubectl finds and shows the kinds."""

import re
from typing import Any

import pytest

from kilonova_api import KINDS
from support.crds import get_version, load_crds, walk

CRDS = load_crds()
CLUSTER_SCOPED = {
    "Cell", "ClusterImage", "ClusterNetwork", "ComputeHost", "Flavor", "HostAggregate",
}  # fmt: skip
TENANT_KINDS = {"Image", "Network", "Server", "ServerGroup", "ServerQuota"}
WIDEST_DEFAULT = 8
"""Columns of a table without -o wide, the name not counted."""

TAKEN_SHORT_NAMES = {
    # Kubernetes itself.
    "cj", "cm", "cr", "crd", "crds", "crs", "cs", "csr", "deploy", "ds", "ep", "ev",
    "hpa", "ing", "limits", "netpol", "no", "ns", "pc", "pdb", "po", "pv", "pvc",
    "quota", "rc", "rs", "sa", "sc", "sts", "svc",
    # Other projects that people install beside us.
    "flavor", "flavors", "img", "image", "images", "network", "networks", "server",
    "servers", "sg", "srv", "vm", "vms", "vmi", "vmis", "inst", "host", "hosts",
    "cell", "cells", "net-attach-def",
}  # fmt: skip


@pytest.mark.parametrize("kind", CRDS)
def test_a_kind_has_the_scope_of_who_owns_it(kind: str) -> None:
    scope = "Cluster" if kind in CLUSTER_SCOPED else "Namespaced"
    assert CRDS[kind]["spec"]["scope"] == scope


@pytest.mark.parametrize("kind", CRDS)
def test_every_kind_has_a_status_of_its_own(kind: str) -> None:
    assert get_version(CRDS[kind])["subresources"] == {"status": {}}


def test_every_model_has_a_crd_and_every_crd_a_model() -> None:
    assert set(CRDS) == {kind.__name__ for kind in KINDS}


@pytest.mark.parametrize("kind", CRDS)
def test_short_names_are_prefixed_and_free(kind: str) -> None:
    (name,) = CRDS[kind]["spec"]["names"]["shortNames"]
    assert re.fullmatch(r"n[a-z]{2,5}", name)
    assert name not in TAKEN_SHORT_NAMES


def test_short_names_are_told_apart() -> None:
    names = [name for kind in KINDS for name in kind.crd.short_names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", CRDS)
def test_only_what_a_tenant_may_list_is_in_category_nova(kind: str) -> None:
    categories = CRDS[kind]["spec"]["names"].get("categories", [])
    assert categories == (["nova"] if kind in TENANT_KINDS else [])


def test_servers_are_selectable_by_host_and_cell() -> None:
    fields = get_version(CRDS["Server"])["selectableFields"]
    assert [field["jsonPath"] for field in fields] == [".status.host", ".status.cell"]


@pytest.mark.parametrize("kind", CRDS)
def test_the_table_ends_with_the_age_and_is_not_too_wide(kind: str) -> None:
    shown = [c for c in _columns(kind) if c.get("priority", 0) == 0]
    assert shown[-1]["name"] == "Age"
    assert shown[-1]["type"] == "date"
    assert 3 <= len(shown) <= WIDEST_DEFAULT


@pytest.mark.parametrize("kind", CRDS)
def test_every_column_is_one_word_and_described(kind: str) -> None:
    for column in _columns(kind):
        assert re.fullmatch(r"[A-Za-z-]+", column["name"])
        assert len(column["description"]) > 5, column


@pytest.mark.parametrize("kind", CRDS)
def test_every_column_shows_a_field_that_exists(kind: str) -> None:
    known = {node.path for node in walk(CRDS[kind])} | {".metadata.creationTimestamp"}
    for column in _columns(kind):
        path = re.sub(r"\[\?\(.*\)\]", "[]", column["jsonPath"])
        assert path in known


def _columns(kind: str) -> list[dict[str, Any]]:
    columns: list[dict[str, Any]] = get_version(CRDS[kind])["additionalPrinterColumns"]
    return columns
