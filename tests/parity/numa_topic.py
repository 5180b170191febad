"""NUMA: constraints, filter, fit, pinning, pages and usage."""

from collections.abc import Iterator, Mapping
from random import Random

from kilonova_operator.domain.scheduling.numa.cell_fit import NumaLimits
from kilonova_operator.domain.scheduling.numa.constraints import find_guest_topology
from kilonova_operator.domain.scheduling.numa.deviations import NumaDeviation
from kilonova_operator.domain.scheduling.numa.fit import fit_guest
from kilonova_operator.domain.scheduling.numa.guest import (
    GuestTopology,
    NumaPlacement,
)
from kilonova_operator.domain.scheduling.numa.judgement import host_passes
from kilonova_operator.domain.scheduling.numa.request import NumaRequestInvalid
from kilonova_operator.domain.scheduling.numa.topology import NumaState
from kilonova_operator.domain.scheduling.numa.usage import add_guest, remove_guest
from parity.numa_forms import (
    read_request,
    read_state,
    write_guest,
    write_placement,
    write_use,
)
from parity.numa_hosts import draw_host
from parity.numa_outcomes import outcomes_of, unreached_outcomes
from parity.numa_requests import RequestDrawer
from parity.oracle_client import Answer, Case
from parity.topic import Judgement


class NumaTopic:
    """One request on one host."""

    name = "numa"

    def draw(self, random: Random) -> Case:
        """Make up a flavor, an image and a host."""
        host = draw_host(random)
        flavor, image = RequestDrawer(random, len(host or [0])).draw()
        return {
            "flavor": flavor,
            "image": image,
            "host": host,
            "ratios": {
                "cpu": random.choice([1.0, 1.5, 4.0, 16.0, 0.5]),
                "ram": random.choice([1.0, 1.0, 1.5, 0.9]),
            },
            "packing": random.random() < 0.3,
        }

    def judge(self, case: Case, answer: Answer) -> Judgement:
        """Compare our answer with the oracle's."""
        if "error" in answer:
            return _judge_exception(case, answer["error"])
        try:
            guest = find_guest_topology(read_request(case))
        except NumaRequestInvalid as error:
            return _judge_refusal(answer, error)
        if "refused" in answer:
            return _judge_nova_refusal(case, answer)
        return _Comparison(case, answer, guest).judge()

    def unreached(self, outcomes: Mapping[str, int], cases: int) -> list[str]:
        """Say which outcomes the cases should have reached."""
        return unreached_outcomes(outcomes, cases)


def _judge_exception(case: Case, error: str) -> Judgement:
    empty = any(not cell["siblings"] for cell in case["host"] or [])
    if empty and error.startswith("ValueError: max()"):
        return Judgement(deviations=[NumaDeviation.HOST_CELL_WITHOUT_CPUS])
    return Judgement(differences=[f"Nova raised {error}"])


_MEANT_REFUSALS = {
    "is no whole number of KiB": NumaDeviation.PLAIN_PAGE_SIZE,
    "is neither small, large, any": NumaDeviation.PLAIN_PAGE_SIZE,
    "MiB is no memory": NumaDeviation.POSITIVE_MEMORY,
    "999999": NumaDeviation.BOUNDED_CPU_NUMBERS,
    "is neither a number nor a range": NumaDeviation.STRANGE_NUMBERS,
}


def _judge_nova_refusal(case: Case, answer: Answer) -> Judgement:
    if case["flavor"]["extra_specs"].get("hw:cpu_thread_policy") == "":
        return Judgement(deviations=[NumaDeviation.EMPTY_WORD])
    return Judgement(differences=[f"Nova alone refuses: {answer['refused']}"])


def _judge_refusal(answer: Answer, error: NumaRequestInvalid) -> Judgement:
    if "refused" in answer:
        return Judgement(outcomes=["refused", f"refused key={error.key}"])
    if "CPUs in each of its nodes" in error.problem:
        placed = answer.get("fit_afresh")
        return Judgement(
            differences=["Nova gives a node without CPUs a host"] if placed else [],
            deviations=[NumaDeviation.NODES_WITH_CPUS],
            outcomes=["refused"],
        )
    for words, deviation in _MEANT_REFUSALS.items():
        if words in error.problem:
            return Judgement(deviations=[deviation], outcomes=["refused"])
    return Judgement(differences=[f"we alone refuse: {error}"])


class _Comparison:
    """Our answer next to Nova's, for a request that is not refused."""

    def __init__(self, case: Case, answer: Answer, guest: GuestTopology | None) -> None:
        self.case = case
        self.answer = answer
        self.guest = guest
        self.host: NumaState | None = read_state(case["host"])
        limits = NumaLimits(case["ratios"]["cpu"], case["ratios"]["ram"])
        self.passes = host_passes(self.host, guest, limits)
        self.placement: NumaPlacement | None = None
        if self.host is not None and guest is not None:
            self.placement = fit_guest(
                self.host, guest, limits=limits, packing=case["packing"]
            )
        self.deviations: list[str] = []

    def judge(self) -> Judgement:
        differences = [*self._requests(), *self._fits(), *self._use()]
        return Judgement(
            differences=differences,
            deviations=self.deviations,
            outcomes=outcomes_of(self.case, self.guest, passes=self.passes),
        )

    def _requests(self) -> Iterator[str]:
        nova, ours = self.answer["constraints"], write_guest(self.guest)
        if ours != nova:
            yield f"constraints: ours {ours}, Nova's {nova}"

    def _fits(self) -> Iterator[str]:
        if "fit" not in self.answer or self.guest is None:
            if self.passes != self.answer["passes"]:
                yield f"filter: ours {self.passes}"
            return
        fits = {
            name: self.answer[name] for name in ("fit", "fit_ordered", "fit_afresh")
        }
        ours = write_placement(self.guest, self.placement)
        if self._lacks_threads():
            # The filter says no before anything is fitted.
            if self.answer["passes"] or self.passes:
                yield "filter: a host without threads passes"
            return
        if self._shares_emulator_core():
            self.deviations.append(NumaDeviation.WHOLE_EMULATOR_CORE)
            return
        if self.passes != (ours is not None):
            yield f"filter: {self.passes}, but the place is {ours}"
        if ours != fits["fit_afresh"]:
            yield f"fit: ours {ours}, Nova's {fits['fit_afresh']}"
        elif ours != fits["fit_ordered"]:
            if not self._can_be_stale():
                yield f"fit: Nova's own {fits['fit_ordered']} has no known reason"
            self.deviations.append(NumaDeviation.JUDGED_AFRESH)
        elif ours != fits["fit"]:
            self.deviations.append(NumaDeviation.ASCENDING_THREADS)
        if self.answer["passes"] != (fits["fit"] is not None):
            yield "filter: does not follow the fit"
        yield from self._limits()

    def _limits(self) -> Iterator[str]:
        wanted = self.case["ratios"] if self.answer["passes"] else None
        if self.answer["limits"] != wanted:
            yield f"limits: {self.answer['limits']}"

    def _lacks_threads(self) -> bool:
        assert self.guest is not None
        assert self.host is not None
        return self.guest.needs_threads and not self.host.has_threads

    def _can_be_stale(self) -> bool:
        assert self.guest is not None
        return len(self.guest.cells) > 1 or isinstance(self.guest.page_wish, str)

    def _shares_emulator_core(self) -> bool:
        """Tell whether Nova isolates an emulator on a core that others use, too."""
        assert self.guest is not None
        fit = self.answer["fit_afresh"]
        if fit is None or self.guest.thread_policy != "isolate":
            return False
        cells = {cell["id"]: cell for cell in self.case["host"]}
        return any(
            set(core) & set(placed["cpuset_reserved"])
            and set(core) & set(cells[placed["id"]]["pinned_cpus"])
            for placed in fit["cells"]
            for core in cells[placed["id"]]["siblings"]
        )

    def _use(self) -> Iterator[str]:
        placement: NumaPlacement | None = self.placement
        if placement is None or self.host is None:
            return
        used = add_guest(self.host, placement)
        freed = remove_guest(used, placement)
        if NumaDeviation.WHOLE_EMULATOR_CORE in self.deviations:
            return
        if "unusable" in self.answer:
            yield from self._unusable()
        if "used" not in self.answer:  # Nova found no place, which is told already
            return
        for name, state in (("used", used), ("freed", freed)):
            if write_use(state) != self.answer[name]:
                yield f"{name}: ours {write_use(state)}, Nova's {self.answer[name]}"

    def _unusable(self) -> Iterator[str]:
        error = self.answer["unusable"]
        pageless = not any(cell["mempages"] for cell in self.case["host"])
        if pageless and error.startswith("IndexError"):
            self.deviations.append(NumaDeviation.HOST_WITHOUT_PAGES)
        else:
            yield f"Nova alone cannot use the place: {error}"
