"""What the drawn NUMA cases reached, so that no policy goes untried."""

from collections.abc import Iterator, Mapping

from kilonova_operator.domain.scheduling.numa.guest import GuestTopology
from kilonova_operator.domain.scheduling.numa.policies import (
    CPU_POLICIES,
    EMULATOR_POLICIES,
    THREAD_POLICIES,
)
from parity.oracle_client import Case

_LEAST_SHARE = 0.002
"""Of all cases; each outcome of each policy must be reached that often."""
_LEAST_SHARE_OF_VERDICT = 0.3
_VERDICTS = ("passes", "rejected")


def outcomes_of(case: Case, guest: GuestTopology | None, *, passes: bool) -> list[str]:
    """Name what a case reached; each name with its verdict."""
    verdict = "passes" if passes else "rejected"
    if guest is None:
        return ["asks for nothing"]
    return ["asks for cells", verdict, *(f"{n} {verdict}" for n in _names(case, guest))]


def _names(case: Case, guest: GuestTopology) -> Iterator[str]:
    yield f"cpu_policy={guest.cpu_policy}"
    yield f"emulator={guest.emulator_policy}"
    if guest.is_pinned:
        yield f"threads={guest.thread_policy}"
    wish = guest.page_wish
    yield f"pages={'a size' if isinstance(wish, int) else wish}"
    yield f"guest cells={len(guest.cells)}"
    host = case["host"]
    yield f"host cells={len(host or [])}"
    if host:
        smt = max((len(core) for cell in host for core in cell["siblings"]), default=0)
        yield f"smt={smt}"
        legacy = all(cell["cpuset"] == cell["pcpuset"] for cell in host)
        yield f"kind={'legacy' if legacy else 'apart'}"
    yield f"packing={case['packing']}"


def unreached_outcomes(outcomes: Mapping[str, int], cases: int) -> list[str]:
    """Say which outcomes were reached too seldom."""
    wanted = [
        *(f"cpu_policy={policy}" for policy in (None, *CPU_POLICIES)),
        *(f"threads={policy}" for policy in (None, *THREAD_POLICIES)),
        *(f"emulator={policy}" for policy in (None, *EMULATOR_POLICIES)),
        *(f"pages={wish}" for wish in (None, "a size", "small", "large", "any")),
        *(f"guest cells={count}" for count in (1, 2, 3, 4)),
        *(f"host cells={count}" for count in (1, 2, 3, 4)),
        *(f"kind={kind}" for kind in ("legacy", "apart")),
        *(f"smt={threads}" for threads in (1, 2, 4)),
        *(f"packing={packing}" for packing in (False, True)),
    ]
    names = [f"{name} {verdict}" for name in wanted for verdict in _VERDICTS]
    names += ["refused", "asks for nothing"]
    missed = [
        f"{name}: {outcomes.get(name, 0)} of {cases} cases"
        for name in names
        if outcomes.get(name, 0) < _LEAST_SHARE * cases
    ]
    judged = outcomes.get("asks for cells", 0)
    missed += [
        f"{verdict}: {outcomes.get(verdict, 0)} of {judged} hosts"
        for verdict in _VERDICTS
        if outcomes.get(verdict, 0) < _LEAST_SHARE_OF_VERDICT * judged
    ]
    return missed
