"""The witness that e2e tests rely on sees what it is to see."""

from ipaddress import IPv4Address, IPv4Network

from support.packets import PacketWitness

LAB = [IPv4Network("10.77.0.0/16")]


def build_frame(kind: int, source: str, target: str) -> bytes:
    ends = IPv4Address(source).packed, IPv4Address(target).packed
    ethernet = bytes(12) + kind.to_bytes(2)
    if kind == 0x0806:
        return ethernet + bytes(14) + ends[0] + bytes(6) + ends[1]
    return ethernet + bytes(12) + ends[0] + ends[1]


def test_packets_from_and_to_the_lab_are_noted_and_others_only_counted() -> None:
    witness = PacketWitness(LAB)
    witness.look_at(build_frame(0x0800, "10.77.3.4", "192.0.2.1"))
    witness.look_at(build_frame(0x0800, "192.0.2.1", "10.77.3.4"))
    witness.look_at(build_frame(0x0806, "192.0.2.1", "10.77.3.4"))
    witness.look_at(build_frame(0x0800, "192.0.2.1", "192.0.2.2"))
    witness.look_at(bytes(20))
    assert witness.total == 5
    assert witness.seen == [
        "0x0800 10.77.3.4 > 192.0.2.1",
        "0x0800 192.0.2.1 > 10.77.3.4",
        "0x0806 192.0.2.1 > 10.77.3.4",
    ]
