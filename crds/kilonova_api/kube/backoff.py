"""Growing pauses between attempts, with jitter so that peers do not march in step."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that grow from ``first_seconds`` by ``factor`` up to ``most_seconds``."""

    first_seconds: float = 0.2
    most_seconds: float = 30.0
    factor: float = 2.0

    def delay(self, failures: int, random: Random) -> float:
        """Give the pause after that many failures in a row (1 is the first).

        The result lies between half of the step and the whole of it: never
        near zero, so that a broken peer gets its rest, and never the same for
        two clients that failed together.
        """
        # 64 doublings exceed any bound; a larger power would overflow a float.
        step = self.first_seconds * self.factor ** min(max(failures, 1) - 1, 64)
        return min(step, self.most_seconds) * (0.5 + random.random() / 2)
