"""The call ``extra-specs``: whether Nova's API takes an extra spec.

A case is ``{"key": "hw:cpu_policy", "value": "shared"}``, an answer
``{"taken": true}`` or ``{"taken": false, "why": "Validation failed; ..."}``.
"""

import re
from typing import Any

import real_nova  # noqa: F401 (Nova made ready)
from nova import exception
from nova.api.validation.extra_specs import validators

# Nova tries the forms of 526 keys one by one; by default 512 stay compiled.
re._MAXCACHE = 4096


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """Answer a case."""
    try:
        validators.validate(case["key"], case["value"])
    except exception.ValidationError as error:
        return {"taken": False, "why": str(error)}
    return {"taken": True}
