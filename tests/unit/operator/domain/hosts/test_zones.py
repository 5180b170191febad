"""A host is in one zone, and stays there while it holds Servers."""

import pytest

from kilonova_operator.domain.hosts.zones import ZoneVerdict, ZoneWishes, decide_zone


@pytest.mark.parametrize(
    ("aggregates", "node", "shown", "verdict"),
    [
        pytest.param((), None, None, ZoneVerdict(None), id="nobody asks"),
        pytest.param((), "n1", None, ZoneVerdict("n1"), id="Node's label"),
        pytest.param(("az1",), "n1", "n1", ZoneVerdict("az1"), id="aggregate first"),
        pytest.param(("az1", "az1"), None, "az1", ZoneVerdict("az1"), id="two agree"),
        pytest.param(
            ("az2", "az1"), None, "az2", ZoneVerdict("az2", ("az1", "az2")), id="kept"
        ),
        pytest.param(
            ("az2", "az1"), None, "x", ZoneVerdict("az1", ("az1", "az2")), id="first"
        ),
    ],
)
def test_aggregates_say_the_zone_and_conflicts_are_told(
    aggregates: tuple[str, ...], node: str | None, shown: str | None, verdict: object
) -> None:
    wishes = ZoneWishes(aggregates, node)
    found = decide_zone(wishes, shown=shown, judged_before=True, holds_servers=False)
    assert found == verdict


def test_a_host_with_servers_keeps_its_zone() -> None:
    found = decide_zone(
        ZoneWishes(("az2",), None), shown="az1", judged_before=True, holds_servers=True
    )
    assert found == ZoneVerdict("az1", held_back="az2")


def test_a_host_with_servers_does_not_lose_its_zone_either() -> None:
    found = decide_zone(
        ZoneWishes((), None), shown="az1", judged_before=True, holds_servers=True
    )
    assert found == ZoneVerdict("az1", held_back="")


def test_a_host_that_was_never_judged_takes_the_zone_it_should_have() -> None:
    found = decide_zone(
        ZoneWishes(("az2",), None), shown=None, judged_before=False, holds_servers=True
    )
    assert found == ZoneVerdict("az2")
