"""Admins are told what a namespace uses and may use, with a ServerQuota or without."""

import pytest

from kilonova_api.admin import SHOW_QUOTA, QuotaAnswer
from kilonova_operator.services.admin_verbs import BadRequest
from kilonova_operator.settings import Settings
from support.server_lab import ServerLab


async def ask(lab: ServerLab, namespace: str = "shop") -> QuotaAnswer:
    verb = lab.operator.admin.get(SHOW_QUOTA)
    return QuotaAnswer.model_validate(await verb({"namespace": namespace}))


async def test_without_an_object_the_default_is_told_with_what_is_used() -> None:
    lab = ServerLab()
    lab.settings = Settings(quota_instances=10, quota_cores=20, quota_ram_mib=51200)
    lab.create_server()
    await lab.run(seconds=5)
    assert await ask(lab) == QuotaAnswer(
        instances="1/10", cores="1/20", ram_mib="64/51200"
    )


async def test_a_quota_replaces_the_default() -> None:
    lab = ServerLab()
    lab.set_quota(instances=3)
    await lab.run(seconds=1)
    assert await ask(lab) == QuotaAnswer(instances="0/3", cores="0", ram_mib="0")


async def test_a_namespace_that_does_not_exist_is_named() -> None:
    lab = ServerLab()
    await lab.run(seconds=1)
    with pytest.raises(BadRequest, match="namespace nowhere does not exist"):
        await ask(lab, "nowhere")
