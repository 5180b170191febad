"""An order that was not heard just now is read before a guest is made of it."""

from typing import Any

import pytest

from kilonova_agent.services.order_check import FRESH_SECONDS, OrderCheck
from kilonova_api.instance import Instance
from kilonova_api.kube.errors import Unreachable
from kilonova_api.kube.resources import Key
from support.clock import FakeClock
from support.instances import make_instance
from support.memory_api import build_unreachable
from support.memory_cluster import MemoryCluster


class Stage:
    """An order, our copy of it, and a feed that was heard when it came."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.kube = MemoryCluster(self.clock)
        heard_at = self.clock.boottime()
        made = self.kube.put(Instance.resource(), make_instance())
        self.copy = Instance.model_validate(made)
        kube: Any = self.kube
        self.check = OrderCheck(kube, self.clock, lambda: heard_at)

    @property
    def key(self) -> Key:
        meta = self.copy.metadata
        return Key.of(meta.namespace, meta.name)

    async def change(self) -> None:
        order = {"placementGeneration": 1, "reason": "ServerDeleted"}
        operation = {"op": "add", "path": "/spec/destroy", "value": order}
        await self.kube.json_patch(Instance.resource(), *self._names(), [operation])

    def cut(self) -> None:
        async def fail(*_args: Any, **_kwargs: Any) -> Any:
            raise build_unreachable()

        self.kube.list = fail  # type: ignore[method-assign]

    def _names(self) -> tuple[str | None, str]:
        return self.key.namespace, self.key.name


async def test_what_was_heard_just_now_is_not_asked_for() -> None:
    stage = Stage()
    stage.cut()
    await stage.clock.advance(FRESH_SECONDS / 2)
    assert await stage.check.is_current(stage.copy)


async def test_an_old_copy_is_confirmed_by_the_api_server() -> None:
    stage = Stage()
    await stage.clock.advance(FRESH_SECONDS)
    assert await stage.check.is_current(stage.copy)


async def test_an_order_that_changed_unheard_does_not_stand() -> None:
    stage = Stage()
    await stage.clock.advance(FRESH_SECONDS)
    await stage.change()
    assert not await stage.check.is_current(stage.copy)


@pytest.mark.parametrize("given_again", [False, True])
async def test_an_order_that_went_unheard_does_not_stand(*, given_again: bool) -> None:
    stage = Stage()
    await stage.clock.advance(FRESH_SECONDS)
    stage.kube.vanish("Instance", stage.key)
    if given_again:
        body = make_instance(name=stage.copy.metadata.name)
        stage.kube.put(Instance.resource(), body)
    assert not await stage.check.is_current(stage.copy)


async def test_nobody_can_tell_while_the_api_server_is_away() -> None:
    stage = Stage()
    await stage.clock.advance(FRESH_SECONDS)
    stage.cut()
    with pytest.raises(Unreachable):
        await stage.check.is_current(stage.copy)
