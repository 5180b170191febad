"""Small numbers for values that many hosts share."""

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T", bound=Hashable)
S = TypeVar("S", bound=np.generic)

CodeArray = npt.NDArray[np.int64]
ABSENT = 0
"""The code of the value of a host of which nothing is known."""


class Codes(Generic[T]):
    """Values by number. A value that no host has any more gives its number back."""

    def __init__(self, absent: T) -> None:
        self._values: list[T] = [absent]
        self._uses: list[int] = [1]
        self._codes: dict[T, int] = {absent: ABSENT}
        self._unused: list[int] = []

    def __len__(self) -> int:
        return len(self._values)

    def value(self, code: int) -> T:
        """Return the value of a number that is in use."""
        return self._values[code]

    def take(self, value: T) -> int:
        """Return the value's number for one more host."""
        code = self._codes.get(value)
        if code is None:
            code = self._add(value)
        self._uses[code] += 1
        return code

    def give_back(self, code: int) -> None:
        """Forget one host that had the value."""
        self._uses[code] -= 1
        if self._uses[code] == 0:
            del self._codes[self._values[code]]
            self._values[code] = self._values[ABSENT]
            self._unused.append(code)

    def values(self) -> Iterable[T]:
        """Return every value in use, the absent one included."""
        return self._codes.keys()

    def spread(
        self, codes: CodeArray, judge: Callable[[T], bool | float], kind: type[S]
    ) -> npt.NDArray[S]:
        """Judge each value that occurs in ``codes`` once; one entry a host."""
        few = len(codes) < len(self._values)
        judged = np.zeros(len(self._values), kind)
        occurring = set(codes.tolist()) if few else self._codes.values()
        for code in occurring:
            judged[code] = judge(self._values[code])
        return judged[codes]

    def _add(self, value: T) -> int:
        if self._unused:
            code = self._unused.pop()
            self._values[code] = value
            self._uses[code] = 0
        else:
            code = len(self._values)
            self._values.append(value)
            self._uses.append(0)
        self._codes[value] = code
        return code
