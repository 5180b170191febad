"""The chart's README: its table of values, made of the comments in values.yaml.

``PYTHONPATH=tests python -m support.chart_readme`` writes it anew.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[2] / "charts" / "kilonova"
README = CHART / "README.md"
_COMMENT = re.compile(r"^\s*# (?P<key>[\w.]+) -- (?P<text>.+)$", re.MULTILINE)
_BEGIN, _END = "<!-- values: begin -->", "<!-- values: end -->"


def read_comments() -> dict[str, str]:
    """Return what values.yaml says of each key."""
    text = (CHART / "values.yaml").read_text()
    return {match["key"]: match["text"] for match in _COMMENT.finditer(text)}


def read_defaults() -> dict[str, Any]:
    """Return the default of each key that has a comment or is a leaf."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    return dict(_flatten(values, "", set(read_comments())))


def _flatten(value: Any, path: str, stops: set[str]) -> Iterator[tuple[str, Any]]:
    if path in stops or not isinstance(value, dict) or not value:
        yield path, value
        return
    for key, child in value.items():
        yield from _flatten(child, f"{path}.{key}" if path else key, stops)


def build_readme() -> str:
    """Return the README with the table as values.yaml has it now."""
    comments, defaults = read_comments(), read_defaults()
    rows = [
        f"| `{key}` | {comments[key]} | `{json.dumps(default)}` |"
        for key, default in defaults.items()
    ]
    table = "\n".join(["| Key | What it does | Default |", "|---|---|---|", *rows])
    text = README.read_text()
    head, tail = text[: text.index(_BEGIN)], text[text.index(_END) :]
    return f"{head}{_BEGIN}\n{table}\n{tail}"


if __name__ == "__main__":
    README.write_text(build_readme())
