"""Which addresses images may come from."""

from ipaddress import ip_address, ip_network

import pytest

from kilonova_agent.domain.faults import InvalidUrl
from kilonova_agent.storage.images.address_policy import AddressPolicy, split_url
from kilonova_agent.storage.images.http_source import is_own_address

POLICY = AddressPolicy(
    forbidden=[ip_network("10.96.0.0/16"), ip_network("10.244.0.0/16")],
    allowed=[ip_network("10.96.7.0/24")],
)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "169.254.169.254",
        "10.96.0.1",
        "10.244.3.4",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.96.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
    ],
)
def test_addresses_of_host_link_and_cluster_are_refused(address: str) -> None:
    with pytest.raises(InvalidUrl):
        POLICY.check(address, host="images.example.org")


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "192.168.7.7", "10.1.2.3", "2606:2800::1", "10.96.7.9"]
)
def test_other_addresses_and_allowed_ones_pass(address: str) -> None:
    POLICY.check(address, host="images.example.org")


def test_the_refusal_names_host_address_and_cure() -> None:
    with pytest.raises(InvalidUrl, match=r"evil\.test \(10\.96\.0\.1\).*allowedRanges"):
        POLICY.check("10.96.0.1", host="evil.test")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/shadow",
        "ftp://example.org/x",
        "http://user:secret@example.org/x",
        "http:///x",
        "http://[::1/x",
        "http://example.org:99999/x",
        "//example.org/x",
    ],
)
def test_urls_that_are_not_plain_http_are_refused(url: str) -> None:
    with pytest.raises(InvalidUrl) as refused:
        split_url(url)
    assert "secret" not in str(refused.value)


def test_this_hosts_own_addresses_are_known_without_asking_anybody() -> None:
    assert is_own_address(ip_address("127.0.0.1"))
    assert not is_own_address(ip_address("192.0.2.1"))
