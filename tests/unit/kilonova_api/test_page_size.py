"""Sizes of memory pages."""

import pytest

from kilonova_api.page_size import format_page_size, parse_page_size


@pytest.mark.parametrize(
    ("kib", "text"),
    [(4, "4Ki"), (64, "64Ki"), (2048, "2Mi"), (16384, "16Mi"), (1048576, "1Gi")],
)
def test_a_size_is_told_in_its_largest_unit(kib: int, text: str) -> None:
    assert format_page_size(kib) == text
    assert parse_page_size(text) == kib
