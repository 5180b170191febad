"""What the write budget counts in an audit log."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.audit import count_writes
from kilonova_lab.errors import LabError

OPERATOR = "system:serviceaccount:kilonova-system:kilonova-operator"
AGENT = "system:serviceaccount:kilonova-hosts:hv1"


def event(user: str, manager: str, resource: str, state: str | None) -> dict[str, Any]:
    """Return an event as Kubernetes 1.36 logs a status that is applied."""
    return {
        "verb": "patch",
        "user": {"username": user},
        "requestURI": f"/apis/x/{resource}/one/status?fieldManager={manager}",
        "objectRef": {"resource": resource, "subresource": "status", "name": "one"},
        "requestObject": {"status": {"state": state} if state else {}},
        "responseStatus": {"code": 200},
    }


@pytest.fixture
def log(tmp_path: Path) -> Path:
    events = [
        event(OPERATOR, "kilonova-super", "servers", "BUILD"),
        event(AGENT, "kilonova-agent", "instances", "BUILD"),
        event(OPERATOR, "kilonova-cell-cell1", "servers", "BUILD"),
        event(AGENT, "kilonova-agent", "instances", "ACTIVE"),
        event(OPERATOR, "kilonova-cell-cell1", "servers", "ACTIVE"),
        event(OPERATOR, "kilonova-super", "networks", None),
    ]
    del events[3]["requestObject"]
    path = tmp_path / "audit.log"
    path.write_text("".join(f"{json.dumps(e)}\n" for e in events))
    return path


def test_only_what_says_build_after_the_host_was_given_is_a_shown_build(
    log: Path,
) -> None:
    count = count_writes(log)
    assert (count.per_server, count.shown_builds, count.aggregate) == (5, 2, 1)


def test_a_log_that_was_begun_anew_is_no_count_of_nothing(log: Path) -> None:
    offset = log.stat().st_size
    log.write_text("")
    with pytest.raises(LabError, match="begun anew"):
        count_writes(log, offset=offset)
