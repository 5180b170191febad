"""What the reconciler keeps in mind, and for how long."""

from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from kilonova_agent.domain.standing import Standing
from kilonova_agent.services.build_reports import BuildReports
from kilonova_agent.services.reconciler import Reconciler, Surroundings
from kilonova_agent.storage.file_system import HostFileSystem
from kilonova_agent.storage.guest_files import GuestStore
from kilonova_agent.storage.order_book import open_order_book
from kilonova_api.instance import Instance
from support.clock import FakeClock
from support.instances import make_instance

ORDER = {"placementGeneration": 1, "reason": "ServerDeleted"}


class Forgetful:
    """Stands for the parts that keep something by uuid."""

    def forget(self, _uuid: str) -> None:
        pass

    def end(self, _uuid: str) -> None:
        pass


class NoGuests:
    """A hypervisor without a guest."""

    async def find_guest(self, _uuid: str) -> None:
        return None


class Stage:
    """A reconciler, and an informer that hears of a delete early or late."""

    def __init__(self, folder: Path, *, hears_at_once: bool) -> None:
        self.instance: Instance | None = Instance.model_validate(
            make_instance(destroy=ORDER)
        )
        self.destroyed = 0
        self._hears_at_once = hears_at_once
        driver: Any = NoGuests()
        fs = HostFileSystem()
        forgetful: Any = Forgetful()
        myself: Any = self
        self.builds = BuildReports(forgetful, FakeClock(), after_seconds=1.0)
        self.reconciler = Reconciler(
            Surroundings(
                find_instance=lambda _: self.instance,
                find_standing=lambda: Standing(accepted=True, known=True),
                is_current=AsyncMock(return_value=True),
                look_again=lambda _, __: None,
                agent_version="0.1.0",
            ),
            driver=driver,
            orders=open_order_book(fs, folder),
            store=GuestStore(fs, folder),
            life=forgetful,
            destroyer=myself,
            builds=self.builds,
            statuses=forgetful,
        )

    async def destroy(self, wanted: Instance, *, up_to_generation: int) -> None:
        """Stand for the destroyer."""
        assert up_to_generation == 1
        self.destroyed += 1
        if self._hears_at_once:
            self.hear(wanted.metadata.name)

    def hear(self, uuid: str) -> None:
        """Hear that the Instance is gone."""
        self.instance = None
        self.reconciler.forget(uuid)


@pytest.mark.parametrize("hears_at_once", [True, False])
async def test_nothing_is_kept_in_mind_of_a_destroyed_guest(
    tmp_path: Path, *, hears_at_once: bool
) -> None:
    stage = Stage(tmp_path, hears_at_once=hears_at_once)
    assert stage.instance is not None
    uuid = stage.instance.metadata.name

    await stage.reconciler.reconcile(uuid)
    await stage.reconciler.reconcile(uuid)
    assert stage.destroyed == 1
    if not hears_at_once:
        stage.hear(uuid)

    kept = {
        name: value
        for part in (stage.reconciler, stage.builds)
        for name, value in vars(part).items()
        if isinstance(value, dict) and value
    }
    assert kept == {}
