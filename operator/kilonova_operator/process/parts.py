"""What a process is put together from; tests put in others."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock, SystemClock
from kilonova_api.kube.connection import Connection
from kilonova_operator.context import ProcessContext, Stores
from kilonova_operator.domain.epoch import Owner
from kilonova_operator.domain.scheduling.defaults import (
    Scheduling,
    build_default_scheduling,
)
from kilonova_operator.services.control.reconciler import Controller
from kilonova_operator.settings import Settings

StoresOpener = Callable[[Settings, Owner], Awaitable[Stores]]
"""Opens every database and makes sure of its schema.

DatabaseUnavailable is waited for; any other error ends the process.
"""
SuperControllers = Callable[[ProcessContext], Sequence[Controller]]
CellControllers = Callable[[ProcessContext, str], Sequence[Controller]]


def _system_random() -> Random:
    return Random()  # noqa: S311 - jitter, not secrets


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that a process does not make by itself."""

    kube: KubeApi
    connection: Connection
    """For kopf, which has a session of its own."""
    open_stores: StoresOpener
    super_controllers: Sequence[SuperControllers] = ()
    cell_controllers: Sequence[CellControllers] = ()
    scheduling: Scheduling = field(default_factory=build_default_scheduling)
    clock: Clock = field(default_factory=SystemClock)
    random: Random = field(default_factory=_system_random)
