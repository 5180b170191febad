"""Fixtures of the agent's unit tests: an image server, and an agent that can die."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.file_systems import FileCut
from support.image_server import ImageServer, image_server
from support.memory_folder import memory_folder
from support.mortal_agent import MortalAgent, mortal_agent


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A folder of the test's own, in memory."""
    with memory_folder() as folder:
        yield folder


@pytest.fixture
async def images(quick_path: Path) -> AsyncIterator[ImageServer]:
    """A server of one disk, on loopback."""
    folder = quick_path / "served"
    folder.mkdir()
    async with image_server(folder) as running:
        running.add_disk()
        yield running


@pytest.fixture
async def host(quick_path: Path) -> AsyncIterator[MortalAgent]:
    """An agent whose file writes all succeed."""
    cut = FileCut(lambda _: False)
    async with mortal_agent(quick_path / "state", cut) as running:
        yield running
