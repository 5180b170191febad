"""A status that reaches the API server late, when another object has the name."""

import asyncio
from typing import Any

from kilonova_api.instance import Instance
from kilonova_api.kube.errors import Conflict
from support.agent_lab import AgentLab
from support.instances import make_instance


class Delayed:
    """The agent's client, whose first status of a guest stays under way."""

    def __init__(self, kube: Any) -> None:
        self._kube = kube
        self.under_way, self.go_on = asyncio.Event(), asyncio.Event()
        self.answered: asyncio.Future[Exception | None] = asyncio.Future()
        self.found: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kube, name)

    async def apply_existing(self, resource: Any, body: Any, **more: Any) -> Any:
        if resource.kind != "Instance" or self.answered.done():
            return await self._kube.apply_existing(resource, body, **more)
        self.under_way.set()
        await self.go_on.wait()
        error: Exception | None = None
        try:
            return await self._kube.apply_existing(resource, body, **more)
        except Conflict as conflict:
            error = conflict
            raise
        finally:
            meta = body["metadata"]
            self.found = await self._kube.get(resource, meta["namespace"], meta["name"])
            self.answered.set_result(error)


async def test_a_late_status_is_not_told_of_the_next_instance_of_that_name(
    idle_lab: AgentLab,
) -> None:
    lab = idle_lab
    delayed = Delayed(lab.kube)
    lab.wrap_kube = lambda _: delayed
    lab.settings = {"build_report_after_seconds": 60}
    lab.start_agent()
    await lab.accept_host()
    body = make_instance(host=lab.node, image=lab.images.add_disk())
    instance = await lab.order(body)
    async with asyncio.timeout(30):
        await delayed.under_way.wait()
    await lab.delete_object(instance)
    again = await lab.order(body)

    delayed.go_on.set()

    async with asyncio.timeout(30):
        assert isinstance(await delayed.answered, Conflict)
    assert delayed.found["metadata"]["uid"] == again.metadata.uid
    assert Instance.model_validate(delayed.found).status.state is None
    await lab.until_state(again, "ACTIVE")
