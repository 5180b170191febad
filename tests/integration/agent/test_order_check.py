"""An order is confirmed by a real API server."""

from kilonova_agent.services.order_check import OrderCheck
from kilonova_api.kube.clock import SystemClock
from support.agent_lab import AgentLab


async def test_an_order_stands_until_it_changes_or_goes(idle_lab: AgentLab) -> None:
    lab = idle_lab
    check = OrderCheck(lab.kube, SystemClock(), lambda: float("-inf"))
    instance, other = await lab.order(), await lab.order()
    assert await check.is_current(instance)

    changed = await lab.change(instance, serverGeneration=2)
    assert not await check.is_current(instance)
    assert await check.is_current(changed)
    assert await check.is_current(other)

    await lab.delete_object(instance)
    assert not await check.is_current(changed)
