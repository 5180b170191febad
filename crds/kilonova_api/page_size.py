"""Sizes of memory pages as text, as 4Ki, 2Mi and 1Gi."""

_KIB_BY_UNIT = {"Ki": 1, "Mi": 1024, "Gi": 1024 * 1024}


def parse_page_size(text: str) -> int:
    """Return the KiB of a size that a CRD's pattern let through."""
    return int(text[:-2]) * _KIB_BY_UNIT[text[-2:]]


def format_page_size(kib: int) -> str:
    """Return the text of a size in the largest unit that keeps it whole."""
    unit = max(
        (unit for unit, size in _KIB_BY_UNIT.items() if kib % size == 0),
        key=lambda unit: _KIB_BY_UNIT[unit],
    )
    return f"{kib // _KIB_BY_UNIT[unit]}{unit}"
