"""libvirt's own hook scripts, holding libvirtd in the middle of a call."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from support.libvirt_host import LibvirtHost

# libvirt gives a hook the object's name, then the step.
_HOOK = """#!/bin/sh
if [ "$2" = {step} ] && [ -e {hold} ]; then
  touch {held}
  while [ -e {hold} ]; do sleep 0.05; done
fi
exit 0
"""


@dataclass(frozen=True, slots=True)
class Hold:
    """A libvirtd that stops at one step until it is let go."""

    hold: Path
    held: Path

    async def wait(self, timeout_seconds: float = 30.0) -> None:
        """Wait until libvirtd is at the step."""
        async with asyncio.timeout(timeout_seconds):
            while not self.held.exists():  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def holding(
    host: LibvirtHost, kind: Literal["qemu", "network"], step: str
) -> AsyncIterator[Hold]:
    """Hold the host's libvirtd at a step of a domain's or a network's life.

    It is started anew, since it looks for hooks once; what it holds it holds
    with the domain locked, so that nobody can ask about that one meanwhile.
    """
    hold = Hold(host.folder / "hook.hold", host.folder / "hook.held")
    hook = host.folder / "etc" / "hooks" / kind
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(_HOOK.format(step=step, hold=hold.hold, held=hold.held))
    hook.chmod(0o755)
    hold.hold.touch()
    await asyncio.to_thread(host.kill_libvirtd)
    await asyncio.to_thread(host.start_libvirtd)
    try:
        yield hold
    finally:
        hold.hold.unlink(missing_ok=True)
        hook.unlink()
