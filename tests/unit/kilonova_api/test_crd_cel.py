"""Every CEL rule of the CRDs, with what passes it and what it stops."""

import re
from collections import defaultdict
from typing import Any

import pytest
from cel_expr_python import cel

from support.crd_rule_case import BASES, Case
from support.crd_rule_cases import CASES
from support.crds import ALL_NODES, load_crds

RULES = [
    (node.kind, node.path, rule["rule"], rule["message"])
    for node in ALL_NODES
    for rule in node.schema.get("x-kubernetes-validations", ())
]
ENVIRONMENT = cel.NewEnv(
    variables={"self": cel.Type.DYN, "oldSelf": cel.Type.DYN},
)
OUTSIDE_OF_THE_SUBSET = (
    r"\?\.|\.\?|quantity\(|isQuantity|\bip\(|cidr\(|url\(|optional|isSorted"
    r"|\.find\(|format\("
)
"""What only some of the CEL engines know that read our rules."""


def _find_rules(case: Case) -> list[str]:
    return [
        rule
        for kind, path, rule, message in RULES
        if (kind, path) == (case.kind, case.path) and message.startswith(case.rule)
    ]


def _descend(obj: dict[str, Any], path: str) -> Any:
    value: Any = obj
    for name in path.strip(".").split(".") if path else ():
        value = value[name.removesuffix("[]")]
        value = value[0] if name.endswith("[]") else value
    return value


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rule_decides_as_its_case_says(case: Case) -> None:
    (rule,) = _find_rules(case)
    data = {"self": _descend(case.new_object, case.path)}
    if case.old_object is not None:
        data["oldSelf"] = _descend(case.old_object, case.path)
    verdict = ENVIRONMENT.compile(rule).eval(data=data).plain_value()
    assert verdict is case.allowed


def test_every_rule_has_a_case_that_passes_and_one_that_fails() -> None:
    verdicts = defaultdict(set)
    for case in CASES:
        (rule,) = _find_rules(case)
        verdicts[case.kind, case.path, rule].add(case.allowed)
    untried = [
        (kind, path, message)
        for kind, path, rule, message in RULES
        if verdicts[kind, path, rule] != {True, False}
    ]
    assert untried == []


def test_every_kind_has_a_base_that_cases_start_from() -> None:
    assert set(BASES) == set(load_crds())


@pytest.mark.parametrize("rule", sorted({rule for _, _, rule, _ in RULES}))
def test_rules_keep_to_what_every_cel_engine_knows(rule: str) -> None:
    assert not re.search(OUTSIDE_OF_THE_SUBSET, rule)


def test_rules_about_change_say_so() -> None:
    silent = [
        (kind, path, message)
        for kind, path, rule, message in RULES
        if "oldSelf" in rule
        and not re.search(r"is immutable|must not (go|be taken) back", message)
    ]
    assert silent == []
