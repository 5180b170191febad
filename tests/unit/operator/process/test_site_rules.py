"""A site's own rules come from installed packages."""

import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from kilonova_operator.domain.scheduling.defaults import UnknownRule
from kilonova_operator.domain.scheduling.extra_spec_check import UnknownExtraSpec
from kilonova_operator.domain.scheduling.options import (
    DEFAULT_FILTERS,
    DEFAULT_WEIGHERS,
    SchedulingOptions,
)
from kilonova_operator.process.scheduling import load_scheduling
from kilonova_operator.process.site_rules import SiteRuleUnusable, find_site_rules
from support.judging import passing
from support.scheduling import made_columns, made_facts, made_request, made_view

EXAMPLE = Path(__file__).parents[4] / "examples" / "site-rules"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the example's package importable, and its entry points known."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    information = tmp_path / f"{project['name'].replace('-', '_')}-1.0.dist-info"
    information.mkdir()
    header = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n"
    (information / "METADATA").write_text(header)
    sections = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in rules.items())
        for group, rules in project["entry-points"].items()
    ]
    (information / "entry_points.txt").write_text("\n".join(sections))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLE))


@pytest.mark.usefixtures("example")
def test_the_example_of_the_docs_is_found_and_judges() -> None:
    options = SchedulingOptions(
        enabled_filters=(*DEFAULT_FILTERS, "LicensedHostsFilter"),
        weight_classes=(*DEFAULT_WEIGHERS, "QuietRackWeigher"),
    )
    rules = load_scheduling(options).rules
    assert rules.filters[-1].name == "LicensedHostsFilter"
    assert rules.weighers[-1].name == "QuietRackWeigher"
    hosts = made_columns(
        (made_facts("with", traits=frozenset({"CUSTOM_LICENSED"})), made_view("with")),
        (made_facts("without"), made_view("without")),
    )
    asking = made_request(extra_specs={"license:needed": "yes"})
    assert passing(rules.filters[-1], hosts, asking) == ["with"]
    assert passing(rules.filters[-1], hosts, made_request()) == ["with", "without"]
    rules.check_extra_specs({"license:needed": "yes"})
    with pytest.raises(UnknownExtraSpec, match="license:neded: unknown"):
        rules.check_extra_specs({"license:neded": "yes"})


@pytest.mark.usefixtures("example")
def test_what_is_not_enabled_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("site_rules")]:
        monkeypatch.delitem(sys.modules, module)
    load_scheduling(SchedulingOptions())
    assert not [name for name in sys.modules if name.startswith("site_rules")]


@pytest.mark.usefixtures("example")
def test_an_unknown_name_lists_the_sites_own_as_well() -> None:
    options = SchedulingOptions(enabled_filters=("LicensedFilter",))
    with pytest.raises(UnknownRule, match="LicensedHostsFilter"):
        load_scheduling(options)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("X", "no_such_module:X", "ModuleNotFoundError"),
        ("X", "json:no_such", "AttributeError"),
        ("X", "builtins:int", "TypeError"),
        ("X", "builtins:str", "neither a ClassFilter nor a RequestFilter"),
        ("ComputeFilter", "json:loads", "the name is taken"),
    ],
)
def test_a_rule_that_cannot_be_used_is_named_with_its_package(
    name: str, value: str, problem: str
) -> None:
    entry = metadata.EntryPoint(name, value, "kilonova.filters")

    def entry_points(group: str) -> list[metadata.EntryPoint]:
        return [entry] if group == entry.group else []

    options = SchedulingOptions(enabled_filters=(name,))
    with pytest.raises(SiteRuleUnusable, match=f"kilonova.filters {name} .*{problem}"):
        load_scheduling(options, entry_points)


def test_nothing_installed_offers_nothing() -> None:
    found = find_site_rules(lambda _: ())
    assert not found.filters
    assert not found.weighers
