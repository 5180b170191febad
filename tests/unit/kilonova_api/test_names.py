"""Names that two programs must spell alike."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_api.names import host_namespace

NODE_NAMES = st.from_regex(
    r"[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?){0,4}",
    fullmatch=True,
).filter(lambda name: len(name) <= 253)


@pytest.mark.parametrize(
    ("host", "namespace"),
    [
        pytest.param("hv1", "kilonova-host-hv1", id="short"),
        pytest.param("h" * 49, f"kilonova-host-{'h' * 49}", id="just short enough"),
    ],
)
def test_a_short_name_is_kept(host: str, namespace: str) -> None:
    assert host_namespace(host) == namespace


@pytest.mark.parametrize("host", ["h" * 50, "hv1.example.com"], ids=["long", "dots"])
def test_any_other_name_ends_in_8_digits_of_its_hash(host: str) -> None:
    assert re.fullmatch(r"kilonova-host-[a-z0-9-]+-[0-9a-f]{8}", host_namespace(host))


@settings(max_examples=40)
@given(NODE_NAMES)
def test_a_host_namespace_is_a_dns_label(host: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", host_namespace(host))


@settings(max_examples=40)
@given(st.lists(NODE_NAMES, min_size=2, max_size=20, unique=True))
def test_two_hosts_never_share_a_namespace(hosts: list[str]) -> None:
    assert len({host_namespace(host) for host in hosts}) == len(hosts)
