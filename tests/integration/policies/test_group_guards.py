"""A ServerGroup that has members is not deleted by mistake."""

from http import HTTPStatus

import pytest

from kilonova_api.names import ALLOW_DELETE_ANNOTATION
from support.chart_cluster import Cluster
from support.chart_manifests import build_group
from support.waiting import eventually


@pytest.fixture
def group(cluster: Cluster, namespace: str) -> str:
    """The namespace of a group db with two members, as the operator says."""
    cluster.admin.create(build_group("db", namespace))
    _say(cluster, namespace, members=2)
    return namespace


def _say(cluster: Cluster, namespace: str, *, members: int) -> None:
    status = {"observedGeneration": 1, "members": members, "placed": f"1/{members}"}
    code, text = cluster.operator.say_status(build_group("db", namespace), status)
    assert code == HTTPStatus.OK, text


def test_a_group_with_members_stays_and_says_how_to_mean_it(
    cluster: Cluster, group: str
) -> None:
    error = cluster.admin.refused("delete", "nsg", "db", "-n", group)
    assert "ServerGroup db has 2 members" in error
    (told,) = [text for text in error.split("If you mean it: ") if "annotate" in text]
    cluster.admin.kubectl(*told.split()[1:])
    cluster.admin.kubectl("delete", "nsg", "db", "-n", group)


def test_a_group_whose_members_are_gone_is_deleted(
    cluster: Cluster, group: str
) -> None:
    _say(cluster, group, members=0)
    cluster.admin.kubectl("delete", "nsg", "db", "-n", group)


def test_a_group_that_nobody_looked_at_is_deleted(
    cluster: Cluster, namespace: str
) -> None:
    cluster.admin.create(build_group("db", namespace))
    cluster.admin.kubectl("delete", "nsg", "db", "-n", namespace)


def test_a_group_goes_with_its_namespace(cluster: Cluster, group: str) -> None:
    mark = f"{ALLOW_DELETE_ANNOTATION}={group}"
    cluster.admin.kubectl("annotate", "namespace", group, mark)
    cluster.admin.kubectl("delete", "namespace", group, "--wait=false")
    eventually(
        lambda: not cluster.admin.run("kubectl", "get", "nsg", "db", "-n", group).ok,
        "the namespace controller deletes the group",
    )
