"""Queries in JSON, by the rules of Nova 34."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_operator.domain.scheduling.filters.json_query import JsonFilter
from kilonova_operator.domain.scheduling.json_query import (
    MOST_CHARACTERS,
    MOST_LEVELS,
    MOST_PARTS,
    MalformedQuery,
    parse_query,
)
from support.host_kinds import EVERYONE, HOSTS
from support.judging import passing
from support.scheduling import made_request


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param([], EVERYONE, id="nothing asked"),
        pytest.param([">=", "$free_ram_mb", 32000], ["kvm", "blank"], id="number"),
        pytest.param(["=", "$num_instances", 7], ["kvm"], id="equal"),
        pytest.param(["in", "$host", "kvm", "arm"], ["kvm", "arm"], id="one of them"),
        pytest.param(["<", 1, 2, 3], EVERYONE, id="less than all the others"),
        pytest.param(["<", 2, 3, 1], [], id="not less than all"),
        pytest.param(["=", "$host"], [], id="nothing to compare with"),
        pytest.param(["=", "$stats.num_instances", "7"], ["kvm"], id="stats are text"),
        pytest.param(["=", "$no_such", 1], [], id="no such attribute is left out"),
        pytest.param(["or", "$no_such"], [], id="none left"),
        pytest.param(["=", "$host_ip", "10.0.0.7"], ["kvm"], id="no address: left out"),
        pytest.param(["<", "$host", 5], [], id="what does not compare does not hold"),
        pytest.param(
            ["not", ["=", "$host", "kvm"]], ["qemu", "arm", "blank"], id="not"
        ),
        pytest.param(
            ["and", ["not", ["=", "$host", "kvm"]]],
            EVERYONE,
            id="a list that is not empty is true, as in Nova",
        ),
        pytest.param(
            ["or", ["=", "$host", "arm"], ["and", [">", "$num_io_ops", 2], []]],
            ["kvm", "arm"],
            id="nested",
        ),
    ],
)
def test_a_query_leaves_the_hosts_for_which_it_holds(
    query: list[Any], expected: list[str]
) -> None:
    request = made_request(query=json.dumps(query))
    assert passing(JsonFilter(), HOSTS, request) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param('["=",', "is no JSON", id="cut off"),
        pytest.param('{"a": 1}', "is no list", id="an object"),
        pytest.param('"x"', "is no list", id="text"),
        pytest.param('["~", 1]', 'no operator at the beginning but "~"', id="unknown"),
        pytest.param('["and", ["=", 1, 1], [[]]]', r"at \[2\]", id="inner place"),
        pytest.param("[" * 3000, "is no JSON|is deeper", id="never closed"),
        pytest.param(
            '["not",' * (MOST_LEVELS + 1) + "1" + "]" * (MOST_LEVELS + 1),
            "is deeper",
            id="too deep",
        ),
        pytest.param(
            json.dumps(["in", "$host", *range(MOST_PARTS - 1)]),
            f"more than {MOST_PARTS} operators and arguments",
            id="too many arguments",
        ),
        pytest.param(
            json.dumps(["and", *[["not", 1]] * (MOST_PARTS // 2)]),
            "more than",
            id="too many operators",
        ),
        pytest.param(f'["=", "{"x" * MOST_CHARACTERS}"]', "is longer", id="too long"),
    ],
)
def test_a_query_that_means_nothing_says_where_and_why(text: str, problem: str) -> None:
    with pytest.raises(MalformedQuery, match=problem) as refused:
        parse_query(text)
    assert "free_ram_mb" in str(refused.value)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (["=", "$hots", "hv1"], "No host has $hots. The query"),
        (
            ["or", ["=", "$stats.none", 1], [">", "$free_ram_mb.x", 1]],
            "No host has $stats.none, $free_ram_mb.x. The query",
        ),
        (["and", ["=", "$host", "a"], [">", "$stats.io_workload", 1]], "The query"),
    ],
)
def test_what_no_host_has_is_named(query: list[Any], said: str) -> None:
    request = made_request(query=json.dumps(query))
    assert JsonFilter().explain(request).startswith(said)


def test_a_query_may_have_as_many_parts_as_it_says() -> None:
    assert parse_query(json.dumps(["in", "$host", *range(MOST_PARTS - 2)]))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(
    st.sampled_from(["=", "<", "in", "not", "or", "and", "x"]),
    st.lists(json_values, max_size=4),
)
def test_any_query_holds_or_not_or_is_refused(sign: str, arguments: list[Any]) -> None:
    try:
        query = parse_query(json.dumps([sign, *arguments]))
    except MalformedQuery:
        return
    assert query is not None
    assert query.holds({}) in (True, False)
