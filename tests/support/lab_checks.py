"""What must be true of a ServerLab at rest."""

from support.server_lab import ServerLab


def check_nothing_is_left(lab: ServerLab) -> None:
    """A Server came and went: no trace in any store or on any host."""
    assert lab.cluster.all("Server") == []
    assert lab.domains == {}
    assert lab.cluster.all("Instance") == []
    assert lab.secrets == []
    assert (lab.api.mappings, lab.api.claims, lab.api.nics) == ({}, {}, {})
    assert (lab.api.decisions, lab.api.hosts_kept) == ({}, {})
    assert lab.cell.bookings == {}


def check_one_guest(lab: ServerLab) -> None:
    """One Server runs: one guest, one disk, one claim, one order."""
    assert list(lab.domains.values()) == [True]
    assert [host.starts for host in lab.hosts.values() if host.starts] != []
    built = [disk for host in lab.hosts.values() for disk in host.disks_built]
    assert len(built) == 1
    assert len(lab.instances()) == 1
    assert len(lab.api.claims) == 1
    assert len(lab.api.nics) == 1
    assert len(lab.cell.bookings) == 1
