"""Inventories and ratios as an admin writes them."""

import pytest
from pydantic import ValidationError

from kilonova_api.compute_host_spec import AllocationRatios
from kilonova_api.resources import CustomInventory, read_ratio


@pytest.mark.parametrize(
    ("text", "number"), [("4.0", 4.0), ("16", 16.0), ("0.9", 0.9), (None, None)]
)
def test_a_ratio_is_a_number_in_quotes(text: str | None, number: float | None) -> None:
    assert read_ratio(text) == number


@pytest.mark.parametrize("text", ["", "NaN", "inf", "-1", "1e3", "4,0", " 4", "0x1"])
def test_what_is_no_plain_number_is_no_ratio(text: str) -> None:
    with pytest.raises(ValidationError):
        AllocationRatios(vcpu=text)


@pytest.mark.parametrize("name", ["VCPU", "custom_fpga", "CUSTOM_", "CUSTOM_A-B", ""])
def test_a_site_names_its_own_classes_only(name: str) -> None:
    with pytest.raises(ValidationError):
        CustomInventory(resource_class=name, total=1)
