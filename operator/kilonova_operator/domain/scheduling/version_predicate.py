"""Version requirements as images write them: ``>=2.0, <9.0``."""

import re

_PART = re.compile(r"\s*(<=|>=|<|>|!=|==)\s*(\d+(?:\.\d+)*)\s*")
_BASE = 1000


def version_satisfies(version: int, predicate: str) -> bool:
    """Tell whether a version number satisfies every part of the predicate.

    version: major * 1000000 + minor * 1000 + micro. A part that cannot be read
    is not satisfied. Source: oslo_utils.versionutils.VersionPredicate.
    """
    return all(_satisfies(version, part) for part in predicate.split(","))


def _satisfies(version: int, part: str) -> bool:
    found = _PART.fullmatch(part)
    if found is None:
        return False
    sign, text = found.groups()
    numbers = [int(number) for number in text.split(".")]
    mine = [version // _BASE**2, version // _BASE % _BASE, version % _BASE]
    length = max(len(numbers), len(mine))
    left = mine + [0] * (length - len(mine))
    right = numbers + [0] * (length - len(numbers))
    return {
        "<=": left <= right,
        ">=": left >= right,
        "<": left < right,
        ">": left > right,
        "!=": left != right,
        "==": left == right,
    }[sign]
