"""A domain's addresses are those its filters let through."""

import pytest

from kilonova_agent.drivers.libvirt.addresses import parse_addresses

NIC = (
    '<interface type="network"><filterref filter="f">'
    '<parameter name="MAC" value="fa:16:3e:00:00:01"/>'
    '<parameter name="IP" value="{}"/></filterref></interface>'
)


def build_domain(*nics: str) -> str:
    return f"<domain><name>x</name><devices>{''.join(nics)}</devices></domain>"


@pytest.mark.parametrize(
    ("xml", "addresses"),
    [
        pytest.param(build_domain(), [], id="no NIC"),
        pytest.param(
            build_domain(NIC.format("10.0.0.3"), NIC.format("10.0.1.3")),
            ["10.0.0.3", "10.0.1.3"],
            id="two NICs",
        ),
        pytest.param(
            build_domain("<interface type='bridge'/>"), [], id="no port security"
        ),
        pytest.param(build_domain(NIC.format("a.b.c.d")), [], id="none"),
        pytest.param("<domain>", [], id="broken"),
    ],
)
def test_addresses_of_filters_are_read(xml: str, addresses: list[str]) -> None:
    assert list(parse_addresses(xml)) == addresses
