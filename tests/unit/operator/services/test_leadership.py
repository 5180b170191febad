"""Leadership: what a process may do in a role that it does not hold."""

from random import Random

import pytest

from kilonova_api.kube.errors import LeaseLost
from kilonova_api.kube.lease import LeaseElector
from kilonova_operator.services.leadership import Leadership
from support.clock import FakeClock


def build_no_elector(role: str, annotations: object) -> LeaseElector:
    raise AssertionError(f"{role} is not to be taken here: {annotations}")


async def test_a_role_that_was_given_back_counts_as_lost() -> None:
    leadership = Leadership(
        build_no_elector, {}, identity="me", clock=FakeClock(), random=Random(1)
    )
    await leadership.release()
    assert not leadership.holds("super")
    with pytest.raises(LeaseLost, match="super"):
        leadership.check("super")
