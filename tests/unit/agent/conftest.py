"""Fixtures of the agent's unit tests: an image server, and an agent that can die."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.file_systems import FileCut
from support.image_server import ImageServer, image_server
from support.mortal_agent import MortalAgent, mortal_agent


@pytest.fixture
async def images(tmp_path: Path) -> AsyncIterator[ImageServer]:
    """A server of one disk, on loopback."""
    folder = tmp_path / "served"
    folder.mkdir()
    async with image_server(folder) as running:
        running.add_disk()
        yield running


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[MortalAgent]:
    """An agent whose file writes all succeed."""
    cut = FileCut(lambda _: False)
    async with mortal_agent(tmp_path / "state", cut) as running:
        yield running
