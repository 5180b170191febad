"""Killed at every step of a build and a delete, by every program that acts.

First a life in peace tells which calls there are. Then a life for each actor
and manner: at the first of each of these calls the actor is killed before it,
or right after it, or it is done and the answer is lost. The agent's writes of
files are such steps too: it is killed half through each, or right after it.
Whatever happened, one guest runs in between, and nothing is left in the end.
"""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import libvirt
import pytest
import pytest_asyncio

from kilonova_agent.drivers.base import DriverUnavailable
from kilonova_api.kube.errors import Call, Unreachable
from kilonova_operator.domain.refusals import DatabaseUnavailable
from support.crash_stage import CrashStage, crash_spec, crash_stage
from support.incarnation import Script, When
from support.servers import reason_of
from support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIFE_SECONDS = 300.0

SLOW_ONLY = {"agent apply_existing Instance Building"}
"""Said only of a build that takes 2 s, as the first one does: it downloads the
image. The lives that are broken have it in the cache."""

LOST_WITH_ITS_OPERATOR = {"operator api.keep_hosts"}
"""Written a moment after the claim, from memory: an operator that ends in between,
or does not hear that its claim was made, never writes it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crash(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[CrashStage]:
    folder: Path = tmp_path_factory.mktemp("crash")
    async with crash_stage(folder) as made:
        yield made


async def live(crash: CrashStage, name: str) -> None:
    """Live the life of a Server, whatever its programs go through."""
    stage = crash.stage
    key = await stage.create_server(name, **crash_spec())
    server = await stage.wait_state(key, "ACTIVE", timeout_seconds=LIFE_SECONDS)
    uuid = server.status.uuid or ""
    assert reason_of(server) == "Running"
    assert server.status.placement_generation == 1
    await check_one_guest(crash, uuid)
    await stage.delete_server(key)
    await stage.wait_gone(key, timeout_seconds=LIFE_SECONDS)
    await stage.wait_nothing_left(timeout_seconds=LIFE_SECONDS)
    assert crash.host.domain_states() == {}
    assert not crash.files_of(uuid).exists()
    await until(lambda: not crash.find_half_made(), "no file is left half-made")


async def check_one_guest(crash: CrashStage, uuid: str) -> None:
    assert crash.host.domain_states() == {uuid: libvirt.VIR_DOMAIN_RUNNING}
    (instance,) = await crash.stage.instances()
    assert instance.metadata.name == uuid
    assert len(await crash.stage.user_data_secrets()) == 1
    left = await crash.stage.leftovers()
    assert len(left["claims"]) == 1
    assert left["addresses"] == 1


def lose(label: str) -> Exception:
    """The error by which an actor hears that an answer was lost."""
    _, call, *_ = label.split()
    if call.startswith("driver."):
        return DriverUnavailable(f"the answer to {label} was lost")
    if "." in call:
        return DatabaseUnavailable(call, f"the answer to {label} was lost")
    return Unreachable(Call("test", label), "the answer was lost", sent=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def steps(crash: CrashStage) -> frozenset[str]:
    """The calls of a life in peace."""
    script = Script()
    crash.follow(script)
    await live(crash, "peace")
    assert crash.kills == {"operator": 0, "agent": 0}
    return frozenset(script.seen)


async def test_a_life_in_peace_has_the_steps_that_are_broken_below(
    steps: frozenset[str],
) -> None:
    for step in (
        "operator api.claim",
        "operator apply_existing Server Building",
        "operator cell1.book_instance ordered",
        "operator apply_new Instance",
        "operator apply_new Secret",
        "agent driver.plug",
        "agent driver.spawn",
        "agent apply_existing Instance Running",
        "operator apply_existing Server Running",
        "operator api.record_delete",
        "operator json_patch Instance",
        "agent driver.destroy",
        "agent driver.unplug",
        "agent delete Instance",
        "operator cell1.book_instance gone",
        "operator api.release",
        "operator remove_finalizer Server",
        "operator cell1.forget_instance",
        "files rename */.image.*.tmp to */image",
        "files link */disk.qcow2.*.building to */disk.qcow2",
        "files rename */.disk.config.*.tmp to */disk.config",
        "files rename state/.orders.json.*.tmp to state/orders.json",
        "files rename instances/* to bin/*.*",
    ):
        assert step in steps, f"{step} is not among {sorted(steps)}"


@pytest.mark.parametrize(
    ("actor", "when"),
    [
        *itertools.product(["operator", "agent"], get_args(When)),
        *itertools.product(["files"], ["before", "after"]),
    ],
)
async def test_broken_at_every_step_one_guest_runs_and_nothing_is_left(
    crash: CrashStage, steps: frozenset[str], actor: str, when: When
) -> None:
    script = Script(actor, when, lost=lose, steps=steps)
    crash.follow(script)
    before = dict(crash.kills)
    try:
        await live(crash, f"{actor}-{when.replace(' ', '-')}")
    except AssertionError as broken:
        raise AssertionError(f"broken at {script.broken}") from broken
    untouched = {s for s in steps if s.startswith(actor)} - set(script.broken)
    may_stay_away = SLOW_ONLY | LOST_WITH_ITS_OPERATOR
    assert untouched <= may_stay_away, f"never broken: {untouched}"
    process = "agent" if actor == "files" else actor
    killed = crash.kills[process] - before[process]
    assert killed == (0 if when == "answer lost" else len(script.broken))


async def test_a_guest_runs_on_while_operator_and_agent_are_killed(
    crash: CrashStage,
) -> None:
    crash.follow(Script())
    key = await crash.stage.create_server("lasting", **crash_spec())
    server = await crash.stage.wait_state(key, "ACTIVE", timeout_seconds=LIFE_SECONDS)
    uuid = server.status.uuid or ""
    guest = domain_id(crash, uuid)
    for actor in ("operator", "agent", "operator"):
        await crash.kill(actor)
        assert domain_id(crash, uuid) == guest
    await check_one_guest(crash, uuid)
    await crash.stage.delete_server(key)
    await crash.stage.wait_gone(key, timeout_seconds=LIFE_SECONDS)
    await crash.stage.wait_nothing_left(timeout_seconds=LIFE_SECONDS)


def domain_id(crash: CrashStage, uuid: str) -> int:
    """libvirt's number of this very start of the guest."""
    with crash.host.connection() as connection:
        return int(connection.lookupByUUIDString(uuid).ID())
