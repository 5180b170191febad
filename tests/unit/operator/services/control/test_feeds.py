"""Feeds hand keys on, and nothing but keys."""

from kilonova_api.kube.resources import Key
from kilonova_operator.services.control.feeds import Feed, FeedKind, Feeds
from kilonova_operator.services.control.pacing import CountPacer
from support.clock import FakeClock

WEB = Key("shop", "web")


def test_a_key_goes_to_its_kind_and_to_its_cell() -> None:
    feeds = Feeds()
    everywhere: list[Key] = []
    in_cell1: list[Key] = []
    in_cell2: list[Key] = []
    feeds.subscribe(Feed(FeedKind.SERVERS), everywhere.append)
    feeds.subscribe(Feed(FeedKind.SERVERS, "cell1"), in_cell1.append)
    feeds.subscribe(Feed(FeedKind.SERVERS, "cell2"), in_cell2.append)
    feeds.publish(FeedKind.SERVERS, WEB, cell="cell1")
    feeds.publish(FeedKind.HOSTS, WEB)
    assert (everywhere, in_cell1, in_cell2) == ([WEB], [WEB], [])


def test_nobody_needs_to_listen() -> None:
    Feeds().publish(FeedKind.CELLS, WEB, cell="cell1")


async def test_counts_wait_for_their_time_and_each_object_for_its_own() -> None:
    clock = FakeClock()
    pacer = CountPacer(clock, 30.0)
    assert pacer.left_seconds("a") == 0
    pacer.note_written("a")
    await clock.advance(10)
    assert pacer.left_seconds("a") == 20
    assert pacer.left_seconds("b") == 0
    await clock.advance(20)
    assert pacer.left_seconds("a") == 0
