"""What may stand in an extra spec, kind by kind.

Source: nova.api.validation.extra_specs.base, Nova 34.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

_YES = frozenset({"1", "t", "true", "on", "y", "yes"})
_NO = frozenset({"0", "f", "false", "off", "n", "no"})


class ValueRule(Protocol):
    """Says what is wrong with a value."""

    def find_problem(self, value: str) -> str | None:
        """Return what is wrong, None if nothing is."""
        ...


@dataclass(frozen=True, slots=True)
class AnyText:
    """Whatever somebody else reads out of it."""

    def find_problem(self, _value: str) -> str | None:
        """Find nothing."""
        return None


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number."""

    least: int | None = None
    most: int | None = None

    def find_problem(self, value: str) -> str | None:
        """Find what is no number, or out of bounds."""
        try:
            number = int(value)
        except ValueError:
            return f'"{value}" is no whole number'
        if self.least is not None and number < self.least:
            return f"{number} is less than {self.least}"
        if self.most is not None and number > self.most:
            return f"{number} is more than {self.most}"
        return None


@dataclass(frozen=True, slots=True)
class YesOrNo:
    """A truth value in one of oslo.utils' words."""

    def find_problem(self, value: str) -> str | None:
        """Find what is neither."""
        if value.strip().lower() in _YES | _NO:
            return None
        return f'"{value}" is neither true nor false'


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def find_problem(self, value: str) -> str | None:
        """Find any other word, and name the nearest."""
        if value in self.words:
            return None
        near = get_close_matches(value.lower(), self.words, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f'"{value}" is none of {", ".join(self.words)}{hint}'


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text of a certain form, with an example of it."""

    expression: str
    example: str

    def find_problem(self, value: str) -> str | None:
        """Find what has another form."""
        if re.fullmatch(self.expression, value):
            return None
        return f'"{value}" is not of the form of {self.example}'
