"""Selecting by labels."""

from typing import Any

import pytest

from kilonova_api.label_selector import LabelSelector

LABELS = {"rack": "r1", "disk": "ssd"}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ({}, True),
        ({"matchLabels": {"rack": "r1"}}, True),
        ({"matchLabels": {"rack": "r1", "disk": "hdd"}}, False),
        ({"matchLabels": {"absent": ""}}, False),
        ({"matchExpressions": [("rack", "In", ["r1", "r2"])]}, True),
        ({"matchExpressions": [("rack", "In", ["r2"])]}, False),
        ({"matchExpressions": [("absent", "In", ["r2"])]}, False),
        ({"matchExpressions": [("rack", "NotIn", ["r1"])]}, False),
        ({"matchExpressions": [("absent", "NotIn", ["r1"])]}, True),
        ({"matchExpressions": [("rack", "Exists", [])]}, True),
        ({"matchExpressions": [("absent", "Exists", [])]}, False),
        ({"matchExpressions": [("rack", "DoesNotExist", [])]}, False),
        ({"matchExpressions": [("absent", "DoesNotExist", [])]}, True),
        (
            {
                "matchLabels": {"rack": "r1"},
                "matchExpressions": [("disk", "NotIn", ["ssd"])],
            },
            False,
        ),
    ],
)
def test_all_that_is_said_must_hold(selector: dict[str, Any], *, matches: bool) -> None:
    said = [
        {"key": key, "operator": operator, "values": values}
        for key, operator, values in selector.get("matchExpressions", ())
    ]
    read = LabelSelector.model_validate({**selector, "matchExpressions": said})
    assert read.matches(LABELS) is matches
