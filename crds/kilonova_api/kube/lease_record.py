"""What stands in a Lease, and the next state to write. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kilonova_api.kube.resources import KubeObject


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """The holder's words. Two equal records: nobody renewed in between."""

    holder: str
    duration_seconds: int
    acquire_time: str
    renew_time: str
    transitions: int

    @classmethod
    def of(cls, lease: KubeObject) -> "LeaseRecord":
        """Read a Lease; fields that nobody wrote yet are empty."""
        spec = lease.get("spec") or {}
        return cls(
            holder=spec.get("holderIdentity") or "",
            duration_seconds=spec.get("leaseDurationSeconds") or 0,
            acquire_time=spec.get("acquireTime") or "",
            renew_time=spec.get("renewTime") or "",
            transitions=spec.get("leaseTransitions") or 0,
        )


@dataclass(frozen=True, slots=True)
class LeaseName:
    """Where a Lease lives, and as whom this process holds it.

    ``identity`` must be unique to the process: one that starts anew under its
    old name is another holder.
    """

    namespace: str
    name: str
    identity: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def annotations_of(lease: KubeObject) -> dict[str, str]:
    """Read a Lease's annotations."""
    return dict(lease["metadata"].get("annotations") or {})


def build_lease(name: LeaseName, *, duration_seconds: int, now: datetime) -> KubeObject:
    """Build a Lease that nobody held before."""
    spec = {
        "holderIdentity": name.identity,
        "leaseDurationSeconds": duration_seconds,
        "acquireTime": _micro_time(now),
        "renewTime": _micro_time(now),
        "leaseTransitions": 0,
    }
    return {
        "metadata": {"namespace": name.namespace, "name": name.name},
        "spec": spec,
    }


def build_taken(
    lease: KubeObject, identity: str, *, duration_seconds: int, now: datetime
) -> KubeObject:
    """Build the Lease as its next holder writes it; annotations stay."""
    record = LeaseRecord.of(lease)
    changed = {
        "holderIdentity": identity,
        "leaseDurationSeconds": duration_seconds,
        "acquireTime": _micro_time(now),
        "renewTime": _micro_time(now),
        "leaseTransitions": record.transitions + (record.holder != identity),
    }
    return _with_spec(lease, changed)


def build_renewed(
    lease: KubeObject, notes: Mapping[str, str], *, now: datetime
) -> KubeObject:
    """Build the Lease as its holder renews it, with the holder's notes."""
    return _with_notes(_with_spec(lease, {"renewTime": _micro_time(now)}), notes)


def build_released(
    lease: KubeObject, notes: Mapping[str, str], *, now: datetime
) -> KubeObject:
    """Build the Lease without a holder, so that the next need not wait."""
    changed = {"holderIdentity": "", "renewTime": _micro_time(now)}
    return _with_notes(_with_spec(lease, changed), notes)


def _with_notes(lease: KubeObject, notes: Mapping[str, str]) -> KubeObject:
    if not notes:
        return lease
    annotations = annotations_of(lease) | dict(notes)
    return {**lease, "metadata": lease["metadata"] | {"annotations": annotations}}


def _with_spec(lease: KubeObject, changed: Mapping[str, Any]) -> KubeObject:
    spec = {**(lease.get("spec") or {}), **changed}
    return {**lease, "metadata": dict(lease["metadata"]), "spec": spec}


def _micro_time(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
