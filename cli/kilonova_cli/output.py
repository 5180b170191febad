"""Tables for people, JSON and YAML for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TextIO

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 1000
"""Columns of what is no terminal: nothing is folded there."""


class OutputFormat(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows below headings. ``numbers``: headings of columns that hold numbers."""

    headings: Sequence[str]
    rows: Sequence[Sequence[object]]
    numbers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Printer:
    """Prints answers to one stream."""

    format: OutputFormat = OutputFormat.TABLE
    stream: TextIO = field(default_factory=lambda: sys.stdout)

    @property
    def for_people(self) -> bool:
        """Whether tables are wanted."""
        return self.format is OutputFormat.TABLE

    def data(self, data: Any) -> None:
        """Print an answer for programs."""
        if self.format is OutputFormat.JSON:
            text = json.dumps(data, indent=2, ensure_ascii=False)
        else:
            text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True).rstrip()
        print(text, file=self.stream)

    def objects(self, objects: Sequence[dict[str, Any]]) -> None:
        """Print objects as ``kubectl get -o`` does."""
        self.data({"apiVersion": "v1", "kind": "List", "items": list(objects)})

    def line(self, text: str = "") -> None:
        """Print a sentence."""
        self._print(Text(clean(text)))

    def facts(self, facts: Iterable[tuple[str, object]]) -> None:
        """Print names and values below each other; empty ones are left out."""
        rows = [(name, value) for name, value in facts if value not in ("", None)]
        table = _build_table()
        table.show_header = False
        for name, value in rows:
            table.add_row(Text(name, style="bold"), Text(clean(value)))
        self._print(table)

    def grid(self, grid: Grid) -> None:
        """Print a table."""
        table = _build_table()
        for heading in grid.headings:
            is_number = heading in grid.numbers
            table.add_column(
                heading, justify="right" if is_number else "left", overflow="fold"
            )
        for row in grid.rows:
            table.add_row(*(Text(clean(cell)) for cell in row))
        self._print(table)

    def _print(self, shown: Table | Text) -> None:
        is_terminal = self.stream.isatty()
        width = None if is_terminal else _WIDE
        console = Console(file=self.stream, width=width, highlight=False)
        with console.capture() as captured:
            console.print(shown)
        for line in captured.get().splitlines():
            print(line.rstrip(), file=self.stream)


def clean(value: object) -> str:
    """Return text that cannot steer a terminal: objects hold what anybody wrote."""
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() else " " for c in text)


def _build_table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
