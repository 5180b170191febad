"""A client against a scripted server, on a clock whose sleeps cost no time."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from random import Random

import pytest

from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.connection import Connection, Credentials, NoToken
from support.clock import HastyClock
from support.scripted_api import ScriptedApi

ClientFactory = Callable[..., KubeClient]


@pytest.fixture
def hasty_clock() -> HastyClock:
    return HastyClock()


@pytest.fixture
async def client_of(hasty_clock: HastyClock) -> AsyncIterator[ClientFactory]:
    async with AsyncExitStack() as stack:

        def build(
            api: ScriptedApi | str, credentials: Credentials | None = None
        ) -> KubeClient:
            connection = Connection(
                server=api if isinstance(api, str) else api.url,
                credentials=credentials or NoToken(),
            )
            client = KubeClient(connection, clock=hasty_clock, random=Random(1))
            stack.push_async_callback(client.close)
            return client

        yield build
