import pytest

from kilonova_api.server_status import Fault
from kilonova_operator.domain.servers.faults import FaultOutcome, decide_fault


@pytest.mark.parametrize(
    ("reason", "retryable", "attempts", "built", "outcome"),
    [
        ("GuestRejected", True, 1, False, FaultOutcome.RESCHEDULE),
        ("GuestRejected", True, 2, False, FaultOutcome.RESCHEDULE),
        ("GuestRejected", True, 3, False, FaultOutcome.ERROR),
        ("GuestRejected", False, 1, False, FaultOutcome.ERROR),
        ("DiskFull", True, 1, True, FaultOutcome.ERROR),
        ("ChecksumMismatch", True, 1, False, FaultOutcome.ERROR),
        ("ImageRejected", True, 1, False, FaultOutcome.ERROR),
        ("ImageTooLarge", True, 1, False, FaultOutcome.ERROR),
    ],
)
def test_only_an_unbuilt_guest_with_a_fault_of_its_host_is_tried_elsewhere(
    reason: str, attempts: int, outcome: FaultOutcome, *, retryable: bool, built: bool
) -> None:
    fault = Fault(reason=reason, message="", retryable=retryable)
    assert decide_fault(fault, attempts=attempts, built=built) is outcome
