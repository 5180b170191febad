"""The operator as the program it is: a process of its own, killed as processes are."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from support.operator_run import ROOT
from support.waiting import until

_ANSWER_TIMEOUT = aiohttp.ClientTimeout(total=5)
_STAGE_SECONDS = 120
"""Much: several of these start at once on two cores, and importing takes seconds."""


@dataclass
class OperatorProgram:
    """One running ``kilonova-operator``."""

    process: asyncio.subprocess.Process
    port: int
    log: Path

    async def stage(self) -> str:
        """Return what /readyz says that it does; empty while nobody answers."""
        try:
            async with (
                aiohttp.ClientSession(timeout=_ANSWER_TIMEOUT) as session,
                session.get(f"http://127.0.0.1:{self.port}/readyz") as answer,
            ):
                stage: str = (await answer.json())["stage"]
                return stage
        except (aiohttp.ClientError, TimeoutError):
            return ""

    async def wait_stage(self, beginning: str) -> None:
        async def so() -> bool:
            return (await self.stage()).startswith(beginning)

        await until(
            so,
            lambda: f"stage {beginning!r}; its log:\n{self.log.read_text()}",
            timeout_seconds=_STAGE_SECONDS,
        )

    async def kill(self) -> None:
        """SIGKILL, which it cannot notice."""
        self.process.kill()
        await self.process.wait()

    async def terminate(self) -> int:
        """SIGTERM, as the kubelet does; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()

    def rss_mb(self) -> float:
        """Return the resident memory in megabytes."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def build_environment(**settings: Any) -> dict[str, str]:
    """Return the environment of a program with these settings."""
    names = {f"KILONOVA_{name.upper()}": str(value) for name, value in settings.items()}
    python_path = f"{ROOT / 'crds'}:{ROOT / 'operator'}"
    others = {k: v for k, v in os.environ.items() if not k.startswith("KILONOVA_")}
    return others | names | {"PYTHONPATH": python_path}


@asynccontextmanager
async def operator_program(
    folder: Path, *, pod_name: str, port: int, **settings: Any
) -> AsyncIterator[OperatorProgram]:
    """Run the program until the block ends; then it is killed if it still runs."""
    log = folder / f"{pod_name}.log"
    environment = build_environment(
        pod_name=pod_name,
        http_host="127.0.0.1",
        http_port=port,
        log_format="text",
        **settings,
    )
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from kilonova_operator.main import main; main()",
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        yield OperatorProgram(process, port, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
