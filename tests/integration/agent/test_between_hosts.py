"""A NAT network ends at its host: no traffic between hosts on it."""

from kilonova_lab.images.guest import READY_LINE
from support.real_guests import boot, until_console

from .conftest import Pair

OTHER_HOST, OTHER_GUEST = "10.77.0.2", "10.20.0.6"
TRY_THE_OTHERS = f"""#!/bin/sh
ping -c 2 -W 3 {OTHER_HOST} >/dev/null && echo other-host-passes
ping -c 2 -W 3 {OTHER_GUEST} >/dev/null && echo other-guest-passes
echo tried
""".encode()


async def test_guests_on_two_hosts_do_not_reach_each_other_on_a_nat_network(
    pair: Pair,
) -> None:
    one, other = pair
    one.host.join(other.host, own="10.77.0.1/24", others=f"{OTHER_HOST}/24")
    there = await boot(other, None, address=OTHER_GUEST, mac="fa:16:3e:00:00:06")
    assert f"ip={OTHER_GUEST}" in await until_console(other, there, READY_LINE)
    # It is there, and answers where it can be heard.
    other.host.run("ping", "-c", "2", "-W", "3", OTHER_GUEST)

    here = await boot(one, TRY_THE_OTHERS)

    console = await until_console(one, here, "tried")
    assert "other-host-passes" in console  # the way between the hosts is open
    assert "other-guest-passes" not in console
