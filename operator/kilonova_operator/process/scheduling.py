"""The scheduler's options and rules, as a site sets them.

``KILONOVA_SCHEDULING`` is an object in JSON whose keys are nova.conf's names:
``{"enabled_filters": ["ComputeFilter", ...], "ram_weight_multiplier": 2}``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from math import isfinite
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.scheduling.defaults import Scheduling, build_rules
from kilonova_operator.domain.scheduling.options import (
    LEAST,
    PrefilterOptions,
    SchedulingOptions,
    WeightMultipliers,
)
from kilonova_operator.process.site_rules import EntryPoints, find_site_rules
from kilonova_operator.process.site_rules import list_entry_points as _installed

_NESTED = {"prefilters": PrefilterOptions, "multipliers": WeightMultipliers}
_WEIGHTS = ("image_props_weight_setting", "metrics_weight_setting")


class SchedulingOptionInvalid(KilonovaError):
    """A scheduling option is unknown, or its value is none that it may have."""


def build_scheduling_options(values: Mapping[str, Any]) -> SchedulingOptions:
    """Read a site's options; what is left out has Nova's default.

    Raises:
        SchedulingOptionInvalid: it names the option, and what may be meant.
    """
    _check_names(values)
    whole = {name: value for name, value in values.items() if name not in _WEIGHTS}
    for name, kind in _NESTED.items():
        own = {field.name for field in fields(kind)}
        whole[name] = {key: whole.pop(key) for key in own & whole.keys()}
    for name in _WEIGHTS:
        if name in values:
            whole[name] = _read_weights(name, values[name])
    try:
        options = TypeAdapter(SchedulingOptions).validate_python(whole)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part not in _NESTED)
        raise SchedulingOptionInvalid(
            f"scheduling option {place}: {first['msg']}"
        ) from error
    _check_numbers(values)
    return options


def load_scheduling(
    options: SchedulingOptions, entry_points: EntryPoints = _installed
) -> Scheduling:
    """Make the rules a site enables, its own packages' among them.

    Raises:
        UnknownRule: a name stands for no rule.
        SiteRuleUnusable: a package's rule cannot be loaded, or is none.
    """
    site = find_site_rules(entry_points)
    rules = build_rules(options, site_filters=site.filters, site_weighers=site.weighers)
    return Scheduling(options, rules)


def _check_names(values: Mapping[str, Any]) -> None:
    known = set(list_option_names())
    for name in values:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SchedulingOptionInvalid(f"scheduling option {name}: unknown{hint}")


def _check_numbers(values: Mapping[str, Any]) -> None:
    """Check numbers whose types are right already."""
    for name, value in values.items():
        if isinstance(value, int | float) and not isfinite(value):
            raise SchedulingOptionInvalid(f"scheduling option {name}: must be finite")
        if name in LEAST and float(value) < LEAST[name]:
            raise SchedulingOptionInvalid(
                f"scheduling option {name}: must be {LEAST[name]} or more"
            )


def list_option_names() -> Iterator[str]:
    """List every option by its name in nova.conf."""
    for field in fields(SchedulingOptions):
        nested = _NESTED.get(field.name)
        if nested is None:
            yield field.name
        else:
            yield from (inner.name for inner in fields(nested))


def _read_weights(name: str, value: object) -> list[tuple[str, Any]]:
    """Read weights by name: an object, since lists of name=weight hide mistakes."""
    if not isinstance(value, Mapping):
        raise SchedulingOptionInvalid(
            f"scheduling option {name}: must be an object, name to weight"
        )
    return list(value.items())
