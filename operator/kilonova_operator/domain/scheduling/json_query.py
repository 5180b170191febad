"""Queries over hosts as lists: ``[">=", "$free_ram_mb", 1024]``.

The grammar and its quirks are those of nova.scheduler.filters.json_filter, Nova 34:
arguments without a value are left out, ``not`` gives a list, and a list that is not
empty counts as true within ``and`` and ``or``.
"""

import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kilonova_operator.domain.errors import KilonovaError

MOST_CHARACTERS = 4096
MOST_LEVELS = 16
MOST_PARTS = 128
"""Operators and arguments in all: each is looked at for every host that differs from
the others, while nobody else is decided about."""

Path = tuple[str, ...]


class MalformedQuery(KilonovaError):
    """A query hint that means nothing."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the hint query {problem}. Write it as a list in JSON, for example "
            '["and", [">=", "$free_ram_mb", 1024], ["in", "$host", "hv1", "hv2"]]; '
            f"operators are {', '.join(_OPERATORS)}."
        )


@dataclass(frozen=True, slots=True)
class Variable:
    """A host's attribute, by its path."""

    path: Path


@dataclass(frozen=True, slots=True)
class Call:
    """An operator and its arguments."""

    sign: str
    arguments: tuple[Any, ...]

    def list_variables(self) -> Iterator[Path]:
        """List the paths of all variables."""
        for argument in self.arguments:
            if isinstance(argument, Variable):
                yield argument.path
            elif isinstance(argument, Call):
                yield from argument.list_variables()

    def holds(self, values: Mapping[Path, Any]) -> bool:
        """Tell whether it holds for one host; never where values do not compare."""
        try:
            result = self._compute(values)
        except TypeError:
            return False
        return any(result) if isinstance(result, list) else bool(result)

    def _compute(self, values: Mapping[Path, Any]) -> Any:
        found = (_value(argument, values) for argument in self.arguments)
        return _OPERATORS[self.sign]([value for value in found if value is not None])


def parse_query(text: str) -> Call | None:
    """Return what a query asks for; None if it asks for nothing.

    Raises:
        MalformedQuery: it says where and why.
    """
    if len(text) > MOST_CHARACTERS:
        raise MalformedQuery(f"is longer than {MOST_CHARACTERS} characters")
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise MalformedQuery(f"is no JSON ({error})") from error
    except RecursionError as error:
        raise MalformedQuery(f"is deeper than {MOST_LEVELS} lists") from error
    if not isinstance(parsed, list):
        raise MalformedQuery("is no list")
    if _count_parts(parsed) > MOST_PARTS:
        raise MalformedQuery(f"has more than {MOST_PARTS} operators and arguments")
    query = _parse(parsed, ())
    return query if isinstance(query, Call) else None


def _count_parts(items: Sequence[Any]) -> int:
    """Count what is in a list, and in those within; the lists themselves do not."""
    count, waiting = 0, [items]
    while waiting:
        parts = waiting.pop()
        inner = [part for part in parts if isinstance(part, list)]
        count += len(parts) - len(inner)
        waiting += inner
    return count


def _parse(item: Any, place: tuple[int, ...]) -> Any:
    if isinstance(item, str):
        return _parse_text(item)
    if not isinstance(item, list):
        return item
    if not item:
        return True
    if len(place) == MOST_LEVELS:
        raise MalformedQuery(f"is deeper than {MOST_LEVELS} lists")
    sign, *arguments = item
    if not isinstance(sign, str) or sign not in _OPERATORS:
        where = "".join(f"[{index}]" for index in place) or "the beginning"
        raise MalformedQuery(f"has no operator at {where} but {json.dumps(sign)[:64]}")
    parsed = (_parse(part, (*place, at)) for at, part in enumerate(arguments, 1))
    return Call(sign, tuple(parsed))


def _parse_text(text: str) -> Any:
    if not text:
        return None
    if text.startswith("$"):
        return Variable(tuple(text[1:].split(".")))
    return text


def _value(argument: Any, values: Mapping[Path, Any]) -> Any:
    if isinstance(argument, Variable):
        return values.get(argument.path)
    if isinstance(argument, Call):
        return argument._compute(values)  # noqa: SLF001  the same class
    return argument


def _comparing(
    compare: Callable[[Any, Any], Any],
) -> Callable[[Sequence[Any]], bool]:
    def judge(arguments: Sequence[Any]) -> bool:
        return len(arguments) > 1 and not [
            other for other in arguments[1:] if not compare(arguments[0], other)
        ]

    return judge


def _is_in(arguments: Sequence[Any]) -> bool:
    return len(arguments) > 1 and arguments[0] in arguments[1:]


_OPERATORS: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "=": _comparing(operator.eq),
    "<": _comparing(operator.lt),
    ">": _comparing(operator.gt),
    "in": _is_in,
    "<=": _comparing(operator.le),
    ">=": _comparing(operator.ge),
    "not": lambda arguments: [not argument for argument in arguments],
    "or": any,
    "and": all,
}
