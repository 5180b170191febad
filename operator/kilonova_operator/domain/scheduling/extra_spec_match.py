"""Nova's operators of extra specs: does a host's value satisfy a requirement.

Source: nova.scheduler.filters.extra_specs_ops, Nova 34. Where Nova raises on a
word that is no number, the requirement is not satisfied here.
"""

import operator
from collections.abc import Callable, Sequence

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
