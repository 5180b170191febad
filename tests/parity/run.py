"""Compare Kilonova's answers with those of the real Nova and Placement.

Every case has a number, and is drawn from the seed, its topic and that number
alone: ``--only numa:1234`` draws and shows one again.
"""

import argparse
import asyncio
import json
import secrets
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from parity.domains_topic import DomainsTopic
from parity.extra_specs_topic import ExtraSpecsTopic
from parity.filters_topic import FiltersTopic
from parity.fit_topic import FitTopic
from parity.numa_topic import NumaTopic
from parity.oracle_client import Answer, Case, Oracle, open_oracle
from parity.topic import Judgement, Topic
from parity.weighers_topic import WeighersTopic

TOPICS: tuple[Topic, ...] = (
    ExtraSpecsTopic(),
    FiltersTopic(),
    WeighersTopic(),
    FitTopic(),
    NumaTopic(),
    DomainsTopic(),
)

_CASES_A_LINE = 50
_SHOWN_DIFFERENCES = 5
_TELLING_CASES = 5000
"""Fewer cases may miss a rare outcome by chance."""


@dataclass(slots=True)
class Tally:
    """What a topic's cases came to."""

    cases: int = 0
    different: list[int] = field(default_factory=list)
    deviations: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    unreached: list[str] = field(default_factory=list)


def main() -> int:
    """Compare, tell the numbers, and end with one JSON line."""
    options = _parse_options()
    if options.only:
        asyncio.run(_show(options))
        return 0
    begun = time.monotonic()
    tallies = asyncio.run(_compare(options))
    differences = sum(len(tally.different) for tally in tallies.values())
    summary = {
        "cases": options.cases,
        "differences": differences,
        "seed": options.seed,
        "seconds": round(time.monotonic() - begun, 1),
        "topics": {
            name: {
                "cases": tally.cases,
                "differences": len(tally.different),
                "deviations": dict(tally.deviations),
            }
            for name, tally in tallies.items()
        },
    }
    print(json.dumps(summary))
    return int(differences > 0 or any(tally.unreached for tally in tallies.values()))


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make parity", description=__doc__)
    parser.add_argument("--python", required=True, help="the one with the real Nova")
    parser.add_argument("--cases", type=int, default=5000, help="of every topic")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--topic", action="append", choices=[t.name for t in TOPICS])
    parser.add_argument("--only", metavar="TOPIC:NUMBER", help="show one case")
    return parser.parse_args()


async def _compare(options: argparse.Namespace) -> dict[str, Tally]:
    async with open_oracle(options.python) as oracle:
        print(f"Oracle: {json.dumps(oracle.about)}; seed {options.seed}", flush=True)
        chosen = options.topic or [topic.name for topic in TOPICS]
        return {
            topic.name: await _compare_topic(oracle, topic, options)
            for topic in TOPICS
            if topic.name in chosen
        }


async def _compare_topic(
    oracle: Oracle, topic: Topic, options: argparse.Namespace
) -> Tally:
    tally = Tally()
    for numbers in _batches(options.cases):
        cases = [_draw(topic, options.seed, number) for number in numbers]
        answers = await oracle.ask(topic.name, cases)
        for number, case, answer in zip(numbers, cases, answers, strict=True):
            judgement = _judge(topic, case, answer)
            tally.cases += 1
            tally.deviations.update(judgement.deviations)
            tally.outcomes.update(judgement.outcomes)
            if judgement.differences:
                tally.different.append(number)
                if len(tally.different) <= _SHOWN_DIFFERENCES:
                    _print_difference(topic, number, judgement.differences)
    if tally.cases >= _TELLING_CASES:
        tally.unreached = topic.unreached(tally.outcomes, tally.cases)
    _print_tally(topic, tally)
    return tally


def _draw(topic: Topic, seed: int, number: int) -> Case:
    return topic.draw(Random(f"{seed}/{topic.name}/{number}"))


def _judge(topic: Topic, case: Case, answer: Answer) -> Judgement:
    try:
        return topic.judge(case, answer)
    except Exception:  # noqa: BLE001 (the other cases are of interest all the same)
        return Judgement(differences=traceback.format_exc().splitlines())


def _batches(cases: int) -> Iterator[Sequence[int]]:
    for start in range(0, cases, _CASES_A_LINE):
        yield range(start, min(start + _CASES_A_LINE, cases))


async def _show(options: argparse.Namespace) -> None:
    name, number = options.only.split(":")
    topic = next(topic for topic in TOPICS if topic.name == name)
    case = _draw(topic, options.seed, int(number))
    async with open_oracle(options.python) as oracle:
        (answer,) = await oracle.ask(topic.name, [case])
    for title, shown in (("case", case), ("answer", answer)):
        print(f"{title}: {json.dumps(shown, indent=1)}")
    print(topic.judge(case, answer))


def _print_difference(topic: Topic, number: int, differences: Sequence[str]) -> None:
    print(f"DIFFERENCE {topic.name}:{number}")
    for difference in differences:
        print(f"  {difference}")


def _print_tally(topic: Topic, tally: Tally) -> None:
    print(f"{topic.name}: {tally.cases} cases, {len(tally.different)} differences")
    for name, count in sorted(tally.deviations.items()):
        print(f"  meant deviation {name}: {count}")
    for name, count in sorted(tally.outcomes.items()):
        # "hosts: rejected" is a share of "hosts", where those are counted as well.
        hosts, part, _ = name.partition(": ")
        whole = tally.outcomes.get(hosts, tally.cases) if part else tally.cases
        share = "" if count > whole else f" ({count / whole:.1%})"
        print(f"  {name}: {count}{share}")
    for what in tally.unreached:
        print(f"  UNREACHED {what}")


if __name__ == "__main__":
    raise SystemExit(main())
