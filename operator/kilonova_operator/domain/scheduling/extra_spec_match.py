"""Nova's operators of extra specs: does a host's value satisfy a requirement.

Source: nova.scheduler.filters.extra_specs_ops, Nova 34. Where Nova raises on a
word that is no number, the requirement is not satisfied here.
"""

import operator
import re
from collections.abc import Callable, Sequence
from math import isnan

_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
}
_STRINGS: dict[str, Callable[[str, str], bool]] = {
    "s==": operator.eq,
    "s!=": operator.ne,
    "s<": operator.lt,
    "s<=": operator.le,
    "s>": operator.gt,
    "s>=": operator.ge,
}

_OTHERS = ("<or>", "<in>", "<all-in>")
OPERATORS = (*_NUMBERS, *_STRINGS, *_OTHERS)
_LIKE_AN_OPERATOR = re.compile(r"s?[<>=!~]+|<[a-z-]+>", re.IGNORECASE)


def find_requirement_problem(requirement: str) -> str | None:
    """Say what is wrong with a requirement that no host can ever satisfy.

    Nova takes ``=> 8`` for a text that a host must have as its value.
    """
    sign, *operands = requirement.split() or [""]
    if sign not in OPERATORS:
        if not _LIKE_AN_OPERATOR.fullmatch(sign):
            return None
        return f"{sign!r} is no operator; they are {', '.join(OPERATORS)}"
    if not operands:
        return f"{sign!r} needs something to compare with"
    if sign in _NUMBERS and not _is_number(operands[0]):
        return f"{sign!r} compares numbers, and {operands[0]!r} is none"
    return None


def _is_number(word: str) -> bool:
    try:
        return not isnan(float(word))
    except ValueError:
        return False


def satisfies(value: str, requirement: str) -> bool:
    """Tell whether ``value`` satisfies a requirement like ``>= 8`` or ``s== x``.

    Without an operator the whole text must be equal; ``=`` means at least.
    Words after the operand are ignored, except by <or> and <all-in>.
    """
    sign, *operands = requirement.split() or [""]
    if sign == "<or>":
        return value in operands[::2]
    if sign == "<all-in>":
        return bool(operands) and all(word in value for word in operands)
    if sign == "<in>":
        return bool(operands) and operands[0] in value
    if sign in _NUMBERS:
        return _compare_numbers(_NUMBERS[sign], value, operands)
    if sign in _STRINGS:
        return bool(operands) and _STRINGS[sign](value, operands[0])
    return value == requirement


def _compare_numbers(
    compare: Callable[[float, float], bool], value: str, operands: Sequence[str]
) -> bool:
    try:
        return bool(operands) and compare(float(value), float(operands[0]))
    except ValueError:
        return False
