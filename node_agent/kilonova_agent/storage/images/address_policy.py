"""Which addresses an image may be downloaded from. Pure but for the host's own.

A hypervisor reaches what its tenants must not: metadata services, kubelets, the
cluster's Services. So an image's URL, and each one it redirects to, must lead
to none of them, judged on the very address that is connected to.
"""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from kilonova_agent.domain.faults import InvalidUrl
from kilonova_agent.settings import IpNetwork

IpAddress = IPv4Address | IPv6Address
_NAT64 = IPv6Network("64:ff9b::/96")
_SITE_LOCAL = IPv6Network("fec0::/10")


class AddressPolicy:
    """Refuses addresses of the host, the cluster and the link."""

    def __init__(
        self,
        *,
        forbidden: Iterable[IpNetwork] = (),
        allowed: Iterable[IpNetwork] = (),
        is_own: Callable[[IpAddress], bool] = lambda _: False,
        is_neighbour: Callable[[IpAddress], bool] = lambda _: False,
    ) -> None:
        self._forbidden = tuple(forbidden)
        self._allowed = tuple(allowed)
        self._is_own = is_own
        self._is_neighbour = is_neighbour

    def check(self, text: str, *, host: str) -> None:
        """Check one address that ``host`` stands for.

        Raises:
            InvalidUrl: it may not be connected to.
        """
        # A scope (fe80::1%eth0) only exists on a link, which is refused anyway.
        address = _unwrap(ip_address(text.partition("%")[0]))
        if any(address in network for network in self._allowed):
            return
        why = self._find_reason(address)
        if why is not None:
            target = host if host == text else f"{host} ({text})"
            raise InvalidUrl(
                f"the image's URL leads to {target}, {why}. Serve the image from "
                "another address, or let an admin allow this one "
                "(chart value images.allowedRanges)."
            )

    def _find_reason(self, address: IpAddress) -> str | None:
        if address.is_loopback or address.is_unspecified:
            return "which is the host itself"
        if address.is_link_local or address in _SITE_LOCAL:
            return "which is a link-local address"
        if address.is_multicast or address.is_reserved:
            return "which is no address of one machine"
        if any(address in network for network in self._forbidden):
            return "which is in a range of nodes, Pods or Services"
        if self._is_own(address):
            return "which is the host itself"
        if self._is_neighbour(address):
            return "which is on the link of the host's own address, where nodes are"
        return None


def split_url(url: str) -> SplitResult:
    """Take a URL apart.

    Raises:
        InvalidUrl: it is not plain http or https.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises on a port that is none
    except ValueError as error:
        raise InvalidUrl(f"the image's URL cannot be read: {error}") from error
    if parts.scheme not in {"http", "https"}:
        raise InvalidUrl(f"the image's URL has scheme {parts.scheme!r}: use http(s)")
    if parts.username is not None or parts.password is not None:
        raise InvalidUrl("the image's URL must not carry a user or password")
    if not parts.hostname:
        raise InvalidUrl("the image's URL names no host")
    return parts


def find_address(host: str) -> str | None:
    """Give the address if ``host`` is one, in any spelling sockets would take."""
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        return None


def _unwrap(address: IpAddress) -> IpAddress:
    """Give the IPv4 address that hides in an IPv6 one."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address
