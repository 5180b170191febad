"""Whether the extra specs of a flavor say what Nova understands.

Nova itself lets a key pass whose namespace it does not know, and never looks at
what an unknown key might have meant. Here both are said: a flavor that promises
dedicated CPUs must not run on shared ones for a typing error.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from kilonova_api.extra_specs.standard_traits import STANDARD_TRAITS
from kilonova_api.extra_specs.table import (
    FAMILIES,
    GROUP_PATTERN,
    GROUPED,
    KEYS,
    STANDARD_RESOURCE_CLASSES,
)
from kilonova_api.extra_specs.values import ValueRule

_NAMES = {"resources": STANDARD_RESOURCE_CLASSES, "trait": STANDARD_TRAITS}
_NEAR = 0.75


@dataclass(frozen=True, slots=True)
class ExtraSpecProblem:
    """What is wrong with one extra spec, and the key that may have been meant."""

    key: str
    problem: str
    nearest: str | None = None

    def __str__(self) -> str:
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"{self.key}: {self.problem}{hint}"


def check_extra_specs(
    bag: Mapping[str, str],
) -> list[ExtraSpecProblem]:
    """Return what is wrong with extra specs, by key; nothing for a sound bag.

    A key without a namespace is read by the filters of capabilities and
    aggregates, which know names of a site's own: it always passes.

    Source: nova.api.validation.extra_specs.validators.validate, Nova 34.
    """
    found = (_find_problem(key, bag[key]) for key in sorted(bag))
    return [problem for problem in found if problem is not None]


def _find_problem(key: str, value: str) -> ExtraSpecProblem | None:
    rule = find_value_rule(key)
    if rule is not None:
        wrong = rule.find_problem(value)
        return None if wrong is None else ExtraSpecProblem(key, wrong)
    if ":" not in key:
        return None
    return ExtraSpecProblem(key, "unknown", _find_nearest(key))


def find_value_rule(key: str) -> ValueRule | None:
    """Return what may stand in an extra spec; None for a key Nova does not know."""
    if key in KEYS:
        return KEYS[key]
    for family in FAMILIES:
        if re.fullmatch(family.form, key):
            return family.rule
    group = _split_group(key)
    if group is not None and group[2] in _NAMES[group[1]]:
        return GROUPED[group[1]]
    return None


def is_grouped(key: str) -> bool:
    """Tell whether a key asks in a group of its own, as resources1:VCPU does."""
    group = _split_group(key)
    return key == "group_policy" or (group is not None and group[0] != group[1])


def _split_group(key: str) -> tuple[str, str, str] | None:
    """Return the namespace as written, the plain one, and the name after it."""
    written, colon, name = key.partition(":")
    for plain in GROUPED:
        if colon and re.fullmatch(plain + GROUP_PATTERN, written):
            return written, plain, name
    return None


def _find_nearest(key: str) -> str | None:
    known = [*KEYS, *(family.example for family in FAMILIES if family.example)]
    group = _split_group(key)
    if group is not None:
        written, plain, _ = group
        known = [f"{written}:{name}" for name in sorted(_NAMES[plain])]
    return next(iter(get_close_matches(key, known, n=1, cutoff=_NEAR)), None)
