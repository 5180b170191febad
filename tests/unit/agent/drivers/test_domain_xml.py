"""Domain and network XML."""

import dataclasses
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_agent.drivers.base import GuestDefinition, GuestDisk, GuestMark
from kilonova_agent.drivers.libvirt.domain_xml import (
    Platform,
    build_domain_xml,
    default_cpu,
    make_environment,
    parse_mark,
)
from kilonova_agent.drivers.libvirt.names import bridge_name, network_name
from kilonova_agent.drivers.libvirt.networks import build_network_xml
from kilonova_agent.drivers.libvirt.nwfilters import (
    FILTERS,
    HOST_PORTS,
    build_filter_xml,
)
from support.guests import make_nic

UUID = "11111111-2222-4333-8444-555555555555"
MARK = GuestMark("c1", "shop", "web-0", UUID, 3, 4, "b1")
GUEST = GuestDefinition(
    uuid=UUID,
    mark=MARK,
    vcpus=2,
    memory_mib=512,
    disks=(
        GuestDisk(Path("/state/disk.qcow2"), "qcow2"),
        GuestDisk(Path("/state/swap.raw"), "raw"),
    ),
    config_drive=Path("/state/disk.config"),
    nics=(make_nic(),),
    console_log=Path("/state/console.log"),
)
QEMU = Platform("qemu", "x86_64", default_cpu("qemu"))
KVM = Platform("kvm", "x86_64", default_cpu("kvm"))


def parse(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own words


def build(guest: GuestDefinition = GUEST, platform: Platform = QEMU) -> ET.Element:
    return parse(build_domain_xml(make_environment(), guest, platform))


def test_disks_come_in_their_order_with_their_formats() -> None:
    domain = build()
    formats = [d.get("type") for d in domain.iterfind("devices/disk/driver")]
    devices = [d.get("dev") for d in domain.iterfind("devices/disk/target")]
    assert formats == ["qcow2", "raw", "raw"]
    assert devices == ["vda", "vdb", "hda"]


def test_software_emulation_gets_its_small_cache_and_a_plain_cpu() -> None:
    domain = build()
    assert domain.get("type") == "qemu"
    assert domain.findtext("features/tcg/tb-cache") == "32"
    assert domain.findtext("cpu/model") == "qemu64"


def test_kvm_gets_the_hosts_cpu() -> None:
    domain = build(platform=KVM)
    assert domain.get("type") == "kvm"
    assert domain.find("features/tcg") is None
    cpu = domain.find("cpu")
    assert cpu is not None
    assert cpu.get("mode") == "host-model"


def test_vnc_listens_on_no_network() -> None:
    graphics = build().find("devices/graphics")
    assert graphics is not None
    assert [listen.get("type") for listen in graphics] == ["socket"]


SENDER = {"MAC": "fa:16:3e:00:00:05", "IP": "10.20.0.5"}
GATEWAY = {"GATEWAY": "10.20.0.1"}


@pytest.mark.parametrize(
    ("type_", "port_security", "name", "parameters"),
    [
        ("NAT", True, "kilonova-nat-port-security", SENDER | GATEWAY),
        ("NAT", False, "kilonova-host-ports", GATEWAY),
        ("Bridge", True, "kilonova-port-security", SENDER),
    ],
)
def test_a_nics_filter_is_told_what_it_judges_by(
    type_: str, name: str, parameters: dict[str, str], *, port_security: bool
) -> None:
    nic = make_nic(type_=type_, bridge="br0", port_security=port_security)
    filterref = build(dataclasses.replace(GUEST, nics=(nic,))).find(
        "devices/interface/filterref"
    )
    assert filterref is not None
    assert filterref.get("filter") == name
    assert {p.get("name"): p.get("value") for p in filterref} == parameters


def test_a_bridge_without_port_security_has_no_filter() -> None:
    nic = make_nic(type_="Bridge", bridge="br0", port_security=False)
    domain = build(dataclasses.replace(GUEST, nics=(nic,)))
    assert domain.find("devices/interface/filterref") is None


def test_a_bridge_nic_names_the_bridge_and_a_nat_nic_its_network() -> None:
    nics = (make_nic(), make_nic(type_="Bridge", bridge="br0"))
    sources = build(dataclasses.replace(GUEST, nics=nics)).iterfind(
        "devices/interface/source"
    )
    assert [source.attrib for source in sources] == [
        {"network": "kn-0a1b2c3d"},
        {"bridge": "br0"},
    ]


def test_a_crashed_guest_is_not_kept_nor_restarted_by_libvirt() -> None:
    assert build().findtext("on_crash") == "destroy"


xml_text = st.text(
    st.characters(
        blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"
    ),
    min_size=1,
).filter(lambda text: text.strip() == text)


@settings(max_examples=40, deadline=None)  # a busy machine is not a failure
@given(xml_text, xml_text)
def test_hostile_names_stay_text(namespace: str, name: str) -> None:
    mark = dataclasses.replace(MARK, namespace=namespace, name=name)
    domain = build(dataclasses.replace(GUEST, mark=mark))

    (metadata,) = domain.find("metadata") or []
    assert parse_mark(ET.tostring(metadata, encoding="unicode")) == mark
    assert len(domain.findall("devices/disk")) == 3


@pytest.mark.parametrize(
    "name", ["</name><evil/>", "a&b", '"><x y="', "{{ 7*7 }}", "]]>", "<!--"]
)
def test_markup_in_a_name_is_no_markup(name: str) -> None:
    mark = dataclasses.replace(MARK, name=name)
    domain = build(dataclasses.replace(GUEST, mark=mark))
    assert domain.find(".//evil") is None
    (metadata,) = domain.find("metadata") or []
    parsed = parse_mark(ET.tostring(metadata, encoding="unicode"))
    assert parsed is not None
    assert parsed.name == name


@pytest.mark.parametrize("text", ["", "<", "<instance/>", "<instance><uid>x</uid>"])
def test_a_mark_that_makes_no_sense_is_none(text: str) -> None:
    assert parse_mark(text) is None


def test_a_network_has_gateway_lease_and_dns_servers() -> None:
    nic = make_nic(dns_servers=("9.9.9.9", "1.1.1.1"))
    network = parse(build_network_xml(make_environment(), nic))

    ip = network.find("ip")
    assert ip is not None
    assert (ip.get("address"), ip.get("prefix")) == ("10.20.0.1", "24")
    assert "dhcp-option=option:dns-server,9.9.9.9,1.1.1.1" in ET.tostring(
        network, encoding="unicode"
    )


@pytest.mark.parametrize("network_id", ["0A1B2C3D-1", "not hex at all", "", "12345"])
def test_names_fit_the_kernel(network_id: str) -> None:
    assert len(bridge_name(network_id)) == 11
    assert network_name(network_id).startswith("kn-")


def test_filters_have_names_of_ours_and_uuids_that_stay() -> None:
    filters = [parse(build_filter_xml(definition)) for definition in FILTERS]
    uuids = [root.findtext("uuid") for root in filters]
    assert all(root.get("name", "").startswith("kilonova-") for root in filters)
    assert len(set(uuids)) == len(FILTERS)
    assert uuids == [parse(build_filter_xml(d)).findtext("uuid") for d in FILTERS]


def test_below_its_hosts_own_outgoing_ports_a_guest_reaches_dns_and_dhcp_alone() -> (
    None
):
    for protocol, open_ports in (("tcp", {53}), ("udp", {53, 67})):
        dropped: set[int] = set()
        for rule in parse(HOST_PORTS).iterfind("rule[@action='drop']/ip"):
            assert rule.get("dstipaddr") == "$GATEWAY"
            if rule.get("protocol") == protocol:
                first, last = rule.get("dstportstart"), rule.get("dstportend")
                dropped |= set(range(int(first or 0), int(last or 0) + 1))
        # Linux' default of ip_local_port_range begins at 32768: answers come there.
        assert set(range(65536)) - dropped == open_ports | set(range(32768, 65536))


def test_no_filter_of_guests_that_run_ever_needs_a_new_parameter() -> None:
    needs = {"kilonova-port-security": {"$MAC", "$IP"}}
    needs["kilonova-host-ports"] = {"$GATEWAY"}
    for root in (parse(definition) for definition in FILTERS):
        values = {v for element in root.iter() for v in element.attrib.values()}
        found = {value for value in values if value.startswith("$")}
        assert found == needs.get(root.get("name", ""), set())
