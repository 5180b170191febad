"""kopf's end is the process's end: nobody may stay deaf."""

from kilonova_api.kube.resources import CUSTOM_RESOURCE_DEFINITION
from support.operator_run import OperatorLab
from support.waiting import until


async def test_a_crd_that_is_deleted_ends_the_process(own_lab: OperatorLab) -> None:
    operator = await own_lab.lead()
    operator.may_fail = True
    shell = operator.process._kopf
    assert shell is not None
    await until(lambda: shell._loop is not None, "kopf runs")
    name = "flavors.compute.kilonova.dev"
    crd = await own_lab.kube.get(CUSTOM_RESOURCE_DEFINITION, None, name)
    uid = crd["metadata"]["uid"]
    await own_lab.kube.delete(CUSTOM_RESOURCE_DEFINITION, None, name, uid=uid)
    await until(operator.task.done, "the process has ended", timeout_seconds=60)
    assert "kopf" in str(operator.task.exception())
