"""The client against small programs that answer, die, or fall silent."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from parity.oracle_client import OracleFailure, open_oracle

_READY = 'print(\'{"ready": {"nova": "34.0.0"}}\', flush=True)'


def _program(tmp_path: Path, answering: str) -> Path:
    program = tmp_path / "oracle.py"
    program.write_text(f"import json, sys\n{_READY}\n{dedent(answering)}")
    return program


_ECHO = """
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps({"id": asked["id"], "answers": asked["cases"]}), flush=True)
"""


async def test_each_case_gets_its_answer_request_after_request(tmp_path: Path) -> None:
    async with open_oracle(sys.executable, _program(tmp_path, _ECHO)) as oracle:
        assert oracle.about == {"nova": "34.0.0"}
        assert await oracle.ask("numa", [{"a": 1}, {"b": 2}]) == [{"a": 1}, {"b": 2}]
        big = [{"text": "x" * 100_000}] * 20
        assert await oracle.ask("numa", big) == big


async def test_an_oracle_that_dies_is_shown_with_its_last_words(tmp_path: Path) -> None:
    dying = "sys.stdin.readline(); sys.exit('no such filter')"
    async with open_oracle(sys.executable, _program(tmp_path, dying)) as oracle:
        with pytest.raises(OracleFailure, match=r"(?s)exit code 1.*no such filter"):
            await oracle.ask("numa", [{}])


async def test_a_silent_oracle_is_given_up_after_its_time(tmp_path: Path) -> None:
    silent = "[line for line in sys.stdin]"
    async with open_oracle(sys.executable, _program(tmp_path, silent)) as oracle:
        with pytest.raises(OracleFailure, match="said nothing for 0 s"):
            await oracle.ask("numa", [{}], seconds=0.2)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        pytest.param('{"id": 1, "error": "KeyError"}', "KeyError", id="refused"),
        pytest.param('{"id": 9, "answers": [{}]}', "request 1 by", id="another id"),
        pytest.param('{"id": 1, "answers": []}', "0 answers to 1", id="too few"),
    ],
)
async def test_a_reply_that_is_no_answer_is_told(
    tmp_path: Path, reply: str, why: str
) -> None:
    program = _program(
        tmp_path, f"sys.stdin.readline(); print({reply!r}, flush=True); input()"
    )
    async with open_oracle(sys.executable, program) as oracle:
        with pytest.raises(OracleFailure, match=why):
            await oracle.ask("numa", [{}])
