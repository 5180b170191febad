"""Whether a flavor or image asks for something that is not built here.

What nobody would act on is refused rather than ignored: a flavor that promises
dedicated cores must not run on shared ones.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from kilonova_operator.domain.conditions import Judgement, ready, stalled
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.scheduling.filters.image_properties import (
    IMAGE_PROPERTIES,
)
from kilonova_operator.domain.scheduling.numa.constraints import is_numa_property

ACTED_ON_PREFIXES = ("hw_", "img_")
"""Image properties with these prefixes change the machine; others are notes."""
USABLE = "Usable"
_BUILT_BY_AGENTS = re.compile(r"hw_cpu_(max_)?(sockets|cores|threads)")


def judge_flavor(
    extra_specs: Mapping[str, str], check: Callable[[Mapping[str, str]], None]
) -> Judgement:
    """Judge a flavor by its extra specs; ``check`` raises where one means nothing."""
    try:
        check(extra_specs)
    except KilonovaError as refused:
        return stalled(refused.reason, str(refused))
    return ready(USABLE)


def judge_image(properties: Iterable[str]) -> Judgement:
    """Judge an image by its properties."""
    unknown = sorted(
        key
        for key in properties
        if key.startswith(ACTED_ON_PREFIXES) and not _is_acted_on(key)
    )
    if not unknown:
        return ready(USABLE)
    return stalled(
        "UnsupportedProperty",
        f"image property {', '.join(unknown)} is not supported here. Make an image "
        "without it, if its guests can do without.",
    )


def _is_acted_on(key: str) -> bool:
    return (
        key in IMAGE_PROPERTIES
        or is_numa_property(key)
        or _BUILT_BY_AGENTS.fullmatch(key) is not None
    )
