"""Guests with a real system, and what they say on their console."""

import asyncio
import shutil
from collections.abc import Mapping
from typing import Any

from kilonova_api.instance import Instance
from kilonova_lab.images.guest import MINIMUM_MEMORY_MIB, ensure_guest_image
from support.agent_lab import AgentLab
from support.instances import make_instance, make_nic_body, make_user_data

BOOT_SECONDS = 150.0
FLAVOR = {"vcpus": 1, "ramMiB": MINIMUM_MEMORY_MIB}
_LOOK_SECONDS = 0.1


async def boot(
    lab: AgentLab,
    user_data: bytes | None,
    *,
    config_drive: bool = True,
    place: Mapping[str, Any] | None = None,
    **nic: Any,
) -> Instance:
    """Order a guest of the lab's image with one NIC, and wait until it runs.

    ``place``: fields of the order that say where it runs on the host.
    """
    image = await asyncio.to_thread(ensure_guest_image)
    await asyncio.to_thread(shutil.copy, image.image, lab.images.folder / "tiny.qcow2")
    body = make_instance(
        host=lab.node,
        image=lab.images.image_of("tiny.qcow2", format_="qcow2"),
        networks=[make_nic_body(**nic)],
        configDrive=config_drive,
        **{"flavor": FLAVOR, **(place or {})},
    )
    if user_data is not None:
        await lab.write_secret(make_user_data(body, user_data))
    instance = await lab.order(body)
    return await lab.until_state(instance, "ACTIVE")


async def until_console(lab: AgentLab, guest: Instance, text: str) -> str:
    """Wait until a guest has said something; give all it said."""
    log = lab.files(guest) / "console.log"
    said = ""
    try:
        async with asyncio.timeout(BOOT_SECONDS):
            # QEMU writes the file; there is nobody who could tell of it.
            while text not in said:
                said = await asyncio.to_thread(log.read_text, errors="replace")
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        tail = said[-3000:]
        raise AssertionError(f"{text!r} is not on the console:\n{tail}") from None
    return said
