"""Refusing extra specs that mean nothing to Nova, or to anybody here."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from kilonova_api.extra_specs.check import (
    ExtraSpecProblem,
    check_extra_specs,
    is_grouped,
)
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.scheduling.interfaces import ClassRule, RequestRule
from kilonova_operator.domain.scheduling.options import KNOWN_FILTERS

_MOST_PROBLEMS_SAID = 5
_BUILT_BY_AGENTS = re.compile(
    r"hw:cpu_(max_)?(sockets|cores|threads)|quota:cpu_(shares|period|quota)"
)
"""What says how the guest is made, so no rule has to look at it."""


class UnsupportedExtraSpec(KilonovaError):
    """A flavor asks for something that no rule here understands."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        grouped = [key for key in keys if is_grouped(key)]
        why = (
            f" ({', '.join(grouped)}: a host is one provider here, so nothing is "
            "asked for in groups)"
            if grouped
            else ""
        )
        super().__init__(
            f"extra spec {', '.join(self.keys)} is not supported here{why}. Use a "
            "flavor without it."
        )


class UnknownExtraSpec(KilonovaError):
    """A flavor has a key that Nova does not know, or a value that cannot be."""

    def __init__(self, problems: Sequence[ExtraSpecProblem]) -> None:
        more = len(problems) - _MOST_PROBLEMS_SAID
        said = "; ".join(str(problem) for problem in problems[:_MOST_PROBLEMS_SAID])
        super().__init__(said + (f"; and {more} more" if more > 0 else ""))


def refuse_extra_specs(
    extra_specs: Mapping[str, str],
    *,
    prefilters: Iterable[ClassRule | RequestRule],
    filters: Iterable[ClassRule | RequestRule],
) -> None:
    """Refuse what nobody would act on, rather than ignore it.

    Keys that a filter of the site's own understands are the site's own as well.

    Raises:
        UnknownExtraSpec: Nova does not know a key, or its value.
        UnsupportedExtraSpec: no rule understands a key, and no agent builds it.
    """
    rules, chosen = _of_classes(prefilters), _of_classes(filters)
    own = _understood(
        extra_specs, [rule for rule in chosen if rule.name not in KNOWN_FILTERS]
    )
    problems = check_extra_specs(
        {key: word for key, word in extra_specs.items() if key not in own}
    )
    if problems:
        raise UnknownExtraSpec(problems)
    understood = own | _understood(extra_specs, [*rules, *chosen])
    unsupported = [
        key
        for key in sorted(extra_specs.keys() - understood)
        if not _BUILT_BY_AGENTS.fullmatch(key)
    ]
    if unsupported:
        raise UnsupportedExtraSpec(unsupported)


def _of_classes(rules: Iterable[ClassRule | RequestRule]) -> list[ClassRule]:
    return [rule for rule in rules if isinstance(rule, ClassRule)]


def _understood(keys: Iterable[str], rules: Collection[ClassRule]) -> set[str]:
    return {key for key in keys if any(rule.understands(key) for rule in rules)}
