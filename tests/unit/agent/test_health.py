"""Answers to probes."""

import asyncio

import pytest

from kilonova_agent.health import HealthServer


@pytest.mark.parametrize(
    ("path", "ready", "status"),
    [
        ("/healthz", False, 200),
        ("/readyz", False, 503),
        ("/readyz", True, 200),
        ("/metrics", True, 404),
    ],
)
async def test_probes_are_answered(
    path: str, *, ready: bool, status: int, unused_tcp_port: int
) -> None:
    server = HealthServer(lambda: ready)
    task = asyncio.create_task(server.run("127.0.0.1", unused_tcp_port))
    try:
        reader, writer = await _connect(unused_tcp_port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await reader.readline()
        writer.close()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert head.split()[1] == str(status).encode()


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(5):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
