import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova_operator.domain.servers.hostname import build_hostname


@pytest.mark.parametrize(
    ("name", "hostname"),
    [
        ("web-0", "web-0"),
        ("db.eu_west 1", "db-eu-west-1"),
        ("-edge-", "edge"),
        ("a" * 80, "a" * 63),
        ("a" * 62 + "-b", "a" * 62),
        ("...", "server-u1"),
    ],
)
def test_hostname_is_the_name_made_a_dns_label(name: str, hostname: str) -> None:
    assert build_hostname(name, "u1") == hostname


@given(st.text(max_size=300))
def test_every_name_gives_a_label_that_the_crd_takes(name: str) -> None:
    label = build_hostname(name, "11111111-2222-4333-8444-555555555555")
    assert len(label) <= 63
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", label)
