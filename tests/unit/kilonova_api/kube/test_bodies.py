from itertools import pairwise

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kilonova_api.kube.bodies import LineSplitter, build_typed, encode_apply
from kilonova_api.kube.resources import SECRET

AWKWARD = "tab\t nel\x85 del\x7f bom\ufeff line\u2028 para\u2029 emoji\U0001f600 é"


def test_an_apply_with_awkward_characters_means_the_same_as_yaml_and_json() -> None:
    encoded = encode_apply({"text": AWKWARD})
    assert orjson.loads(encoded) == {"text": AWKWARD}
    assert yaml.safe_load(encoded) == {"text": AWKWARD}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_the_yaml_parser(text: str) -> None:
    encoded = encode_apply({"text": text})
    assert orjson.loads(encoded) == {"text": text}
    assert yaml.safe_load(encoded) == {"text": text}


def test_a_body_for_another_uid_is_refused() -> None:
    body = {"metadata": {"name": "a", "uid": "old"}}
    with pytest.raises(ValueError, match="the body is for uid old"):
        build_typed(SECRET, body, uid="new")


def test_the_callers_body_is_left_alone() -> None:
    body = {"metadata": {"name": "a"}}
    assert build_typed(SECRET, body, uid="u")["metadata"]["uid"] == "u"
    assert body == {"metadata": {"name": "a"}}


@given(st.lists(st.binary()), st.data())
def test_lines_come_out_whole_however_the_network_cuts_them(
    lines: list[bytes], data: st.DataObject
) -> None:
    lines = [line.replace(b"\n", b"") for line in lines]
    stream = b"".join(line + b"\n" for line in lines)
    cuts = data.draw(st.lists(st.integers(0, len(stream))).map(sorted))
    edges = [0, *cuts, len(stream)]
    splitter = LineSplitter(limit_bytes=10**6)
    out: list[bytes] = []
    for begin, end in pairwise(edges):
        out += splitter.feed(stream[begin:end])
    assert out == [line for line in lines if line]


def test_a_line_without_end_is_cut_off() -> None:
    splitter = LineSplitter(limit_bytes=10)
    splitter.feed(b"123456")
    with pytest.raises(ValueError, match="more than 10 bytes"):
        splitter.feed(b"7890123")
