"""Feeds: named streams of keys between what notices a change and the queues.

A feed carries keys, never objects: a change that is noticed twice, late or out
of order costs one reconcile and breaks nothing.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from kilonova_api.kube.resources import Key

Subscriber = Callable[[Key], None]


class FeedKind(StrEnum):
    """What a feed's keys name."""

    SERVERS = "servers"
    HOSTS = "hosts"
    CELLS = "cells"
    FLAVORS = "flavors"
    IMAGES = "images"
    CLUSTER_IMAGES = "clusterimages"
    NETWORKS = "networks"
    CLUSTER_NETWORKS = "clusternetworks"
    AGGREGATES = "hostaggregates"
    GROUPS = "servergroups"
    QUOTAS = "serverquotas"
    GUARDED_NAMESPACES = "guarded-namespaces"
    HOST_RECORDS = "host-records"


@dataclass(frozen=True, slots=True)
class Feed:
    """Keys of one kind; with ``cell``: only of objects that are in that cell."""

    kind: FeedKind
    cell: str | None = None


class Feeds:
    """Hands each published key to the queues that subscribed to its feed.

    Not thread-safe: kopf's thread publishes through ``call_soon_threadsafe``.
    """

    def __init__(self) -> None:
        self._subscribers: dict[Feed, list[Subscriber]] = defaultdict(list)

    def subscribe(self, feed: Feed, subscriber: Subscriber) -> None:
        """Give ``subscriber`` every key that is published on the feed."""
        self._subscribers[feed].append(subscriber)

    def publish(self, kind: FeedKind, key: Key, *, cell: str | None = None) -> None:
        """Tell of a change: on the kind's feed and, if given, on its cell's."""
        for feed in (Feed(kind), Feed(kind, cell)) if cell else (Feed(kind),):
            for subscriber in self._subscribers[feed]:
                subscriber(key)

    def publish_to(self, feed: Feed, key: Key) -> None:
        """Tell of a change on one feed alone: from one role to the other."""
        for subscriber in self._subscribers[feed]:
            subscriber(key)
