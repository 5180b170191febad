"""What a topic of the comparison is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from parity.oracle_client import Answer, Case


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of one case."""

    differences: Sequence[str] = ()
    """Where our answer is not Nova's, in words; should be empty."""
    deviations: Sequence[str] = ()
    """Names of meant deviations that this case met."""
    outcomes: Sequence[str] = ()
    """What the case reached, to be counted: ``rejected``, ``policy=mixed``."""


class Topic(Protocol):
    """A part of Nova, compared case by case.

    A case is plain JSON, for the oracle to read: printed, it can be asked again.
    """

    @property
    def name(self) -> str:
        """The topic, and the oracle's call."""
        ...

    def draw(self, random: Random) -> Case:
        """Make a case up."""
        ...

    def judge(self, case: Case, answer: Answer) -> Judgement:
        """Compare our own answer with the oracle's."""
        ...

    def unreached(self, outcomes: Mapping[str, int], cases: int) -> list[str]:
        """Say what so many cases should have reached and did not.

        Only asked of runs that are large enough to tell.
        """
        ...
