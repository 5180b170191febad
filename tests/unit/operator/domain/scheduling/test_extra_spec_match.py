"""Nova's operators of extra specs."""

import pytest

from kilonova_operator.domain.scheduling.extra_spec_match import (
    find_requirement_problem,
    satisfies,
)
from kilonova_operator.domain.scheduling.version_predicate import version_satisfies


@pytest.mark.parametrize(
    ("value", "requirement", "expected"),
    [
        ("1", "1", True),
        ("1", "2", False),
        ("", "", True),
        ("1.0", "1", False),
        ("12", "= 4", True),
        ("3", "= 4", False),
        ("4.0", "== 4", True),
        ("5", "!= 4", True),
        ("4", ">= 4.5", False),
        ("4", "<= 4", True),
        ("x", "== 1", False),
        ("1", "== x", False),
        ("1", "==", False),
        ("abc", "s== abc", True),
        ("abc", "s!= abd", True),
        ("10", "s< 9", True),
        ("b", "s<= a", False),
        ("b", "s> a", True),
        ("a", "s>= a", True),
        ("a", "s==", False),
        ("12311321", "<in> 11", True),
        ("12311321", "<in> 14", False),
        ("x", "<in>", False),
        ("['aes', 'mmx']", "<all-in> aes mmx", True),
        ("['aes']", "<all-in> aes mmx", False),
        ("12", "<or> 11 <or> 12", True),
        ("13", "<or> 11 <or> 12", False),
        ("12 <or>", "12 <or>", True),
        ("4", ">= 4 and more", True),
        ("~~", "~~", True),
    ],
)
def test_operators_mean_what_they_mean_in_nova(
    value: str, requirement: str, *, expected: bool
) -> None:
    assert satisfies(value, requirement) is expected


@pytest.mark.parametrize(
    ("requirement", "problem"),
    [
        ("", None),
        ("x86_64", None),
        (">= 8", None),
        ("<or> a <or> b", None),
        ("<all-in> aes", None),
        ("=> 8", "'=>' is no operator; they are =, =="),
        ("> 8", "'>' is no operator"),
        ("s=> a", "'s=>' is no operator"),
        ("<OR> a", "'<OR>' is no operator"),
        ("<one-of> a", "'<one-of>' is no operator"),
        (">=", "'>=' needs something"),
        ("<or>", "'<or>' needs something"),
        (">= much", "'much' is none"),
        (">= nan", "'nan' is none"),
    ],
)
def test_what_no_host_could_satisfy_is_told(
    requirement: str, problem: str | None
) -> None:
    found = find_requirement_problem(requirement)
    assert (found is None) if problem is None else (problem in (found or ""))


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        (">=7.2", True),
        ("==7.2", True),
        ("==7.2.0", True),
        (">7.2.0, <8", True),
        (">7.2.0", False),
        ("!=7.2.1", True),
        ("<=7", False),
        (">=7.2.0.1", False),
        ("7.2", False),
        ("", False),
    ],
)
def test_every_part_of_a_version_predicate_must_hold(
    predicate: str, *, expected: bool
) -> None:
    version = 7_002_001 if predicate == ">7.2.0, <8" else 7_002_000
    assert version_satisfies(version, predicate) is expected
