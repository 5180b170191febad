"""Whether the host is the accepted one."""

from typing import Any

import pytest

from kilonova_agent.domain.standing import Standing, judge_standing
from kilonova_api.compute_host import ComputeHost

OWN = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        pytest.param({}, Standing(accepted=False, known=False), id="new host"),
        pytest.param({"hostId": OWN}, Standing(accepted=True, known=True), id="ours"),
        pytest.param(
            {"hostId": OWN, "nodeUid": "n1"},
            Standing(accepted=True, known=True),
            id="ours, on our node",
        ),
        pytest.param(
            {"hostId": OWN, "nodeUid": "n2"},
            Standing(accepted=False, known=True),
            id="ours, on another node",
        ),
        pytest.param(
            {"hostId": OTHER}, Standing(accepted=False, known=True), id="another host"
        ),
    ],
)
def test_only_host_id_and_node_together_are_this_host(
    status: dict[str, Any], standing: Standing
) -> None:
    host = ComputeHost.model_validate({"status": status})
    assert judge_standing(host, host_id=OWN, node_uid="n1") == standing


@pytest.mark.parametrize(("host_id", "disks"), [(OWN, "Kept"), (OTHER, None)])
def test_a_persons_word_counts_for_the_host_id_it_names(
    host_id: str, disks: str | None
) -> None:
    accept = {"hostId": host_id, "disks": "Kept"}
    host = ComputeHost.model_validate({"spec": {"acceptIdentity": accept}})
    assert judge_standing(host, host_id=OWN, node_uid="").disks == disks
