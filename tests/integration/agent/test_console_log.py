"""A real guest that never stops printing."""

import dataclasses

from kilonova_agent.drivers.base import GuestDisk
from kilonova_agent.drivers.libvirt.driver import LibvirtDriver
from kilonova_agent.storage.file_system import HostFileSystem
from kilonova_agent.storage.guest_files import GuestStore
from support.guests import make_guest
from support.libvirt_host import LibvirtHost
from support.waiting import until

_CUT_BYTES = 4096
# mov dx,0x3f8; mov al,'x'; again: out dx,al; jmp again
_PRINTS_FOR_EVER = b"\xba\xf8\x03\xb0x\xee\xeb\xfd"


async def test_the_log_of_a_guest_that_prints_for_ever_stays_short_and_readable(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    guest = make_guest(host.state_dir)
    store = GuestStore(HostFileSystem(), host.state_dir)
    files = store.of(guest.uuid)
    files.folder.mkdir()
    disk = files.folder / "disk.raw"
    sector = _PRINTS_FOR_EVER.ljust(510, b"\0") + b"\x55\xaa"
    disk.write_bytes(sector.ljust(1 << 20, b"\0"))
    log = files.console_log
    await driver.spawn(
        dataclasses.replace(
            guest, disks=(GuestDisk(disk, "raw"),), console_log=log, config_drive=None
        )
    )
    await until(
        lambda: log.exists() and log.stat().st_size > 100 * _CUT_BYTES,
        "the guest prints",
    )

    store.cut_console_logs(most_bytes=_CUT_BYTES, kept_bytes=_CUT_BYTES)
    after_cut = log.stat().st_size
    await until(lambda: log.stat().st_size > 10 * _CUT_BYTES, "the guest prints on")
    await driver.destroy(guest.uuid, up_to_generation=1)

    assert after_cut < 100 * _CUT_BYTES
    # A writer that does not append would leave a hole of zeros before its place.
    assert set(log.read_bytes()) == set(b"x")
