"""The memory pages a flavor and an image ask for.

Source: nova.virt.hardware._get_numa_pagesize_constraint and
get_locked_memory_constraint, Nova 34.
"""

import re
from typing import get_args

from kilonova_operator.domain.scheduling.numa.guest import PageKind, PageWish
from kilonova_operator.domain.scheduling.numa.request import (
    NumaRequest,
    NumaRequestInvalid,
    property_key,
    read_truth,
    read_word,
    spec_key,
)

_KINDS: tuple[PageKind, ...] = get_args(PageKind)
_NAME = "mem_page_size"
_LOCK = "locked_memory"
_PREFIXES = "KMGTPEZYRQ"
_SIZE = re.compile(
    rf"(?P<number>\d*\.?\d+)(?:(?P<prefix>[{_PREFIXES}])i?)?(?P<unit>b|bit|B)"
)
_KIB = 1024
_BITS_PER_BYTE = 8


def find_page_wish(request: NumaRequest) -> PageWish | None:
    """Return the pages asked for; an image may only narrow ``any`` and ``large``.

    Raises:
        NumaRequestInvalid: a size cannot be read, or the image says too much.
    """
    flavor = request.find_spec(_NAME)
    image = request.find_property(_NAME) or None
    wish = None if flavor is None else _read(spec_key(_NAME), flavor)
    if image is None:
        return wish or None
    if wish not in ("any", "large"):
        raise NumaRequestInvalid(
            property_key(_NAME),
            f"'{image}' is only allowed with a flavor that says 'any' or 'large'",
        )
    return _read(property_key(_NAME), image) or None


def check_locked_memory(request: NumaRequest) -> None:
    """Check that memory is locked only with pages asked for, and nobody objects.

    Raises:
        NumaRequestInvalid: it is not so.
    """
    flavor = request.extra_specs.get(spec_key(_LOCK))
    image = request.find_property(_LOCK)
    wishes = {read_truth(word) for word in (flavor, image) if word is not None}
    if len(wishes) > 1:
        raise NumaRequestInvalid(
            property_key(_LOCK), f"'{image}' contradicts the flavor's '{flavor}'"
        )
    if True in wishes and not (
        request.find_spec(_NAME) or request.find_property(_NAME)
    ):
        raise NumaRequestInvalid(spec_key(_LOCK), "needs hw:mem_page_size")


def parse_page_wish(word: str) -> PageWish:
    """Read ``small``, ``large``, ``any``, KiB, or a size like ``2MB``.

    Raises:
        ValueError: it is none of them, or no whole number of KiB.
    """
    for kind in _KINDS:
        if word == kind:
            return kind
    if word.isdigit():
        return int(word)
    found = _SIZE.fullmatch(word)
    if found is None:
        raise ValueError(
            f"'{word}' is neither small, large, any nor a size like 2048 or 2MB"
        )
    power = _PREFIXES.index(found["prefix"]) + 1 if found["prefix"] else 0
    size = float(found["number"]) * _KIB**power
    if found["unit"] != "B":
        size /= _BITS_PER_BYTE
    if size % _KIB:
        raise ValueError(f"'{word}' is no whole number of KiB")
    return int(size) // _KIB


def _read(key: str, word: str) -> PageWish:
    return read_word(key, word, parse_page_wish)
