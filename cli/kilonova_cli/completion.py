"""``kubectl_complete-nova``: what kubectl asks when TAB is pressed.

kubectl completes plugins by a program of that name on PATH: it gets the words
after ``kubectl nova``, the last one unfinished, and prints one candidate a line
with its help behind a tab, and a directive at the end.
"""

import sys
from collections.abc import Sequence
from typing import Any

# The engine behind Typer's own completion; it has no public name.
from typer._click.shell_completion import CompletionItem, ShellComplete
from typer.main import get_command

from kilonova_cli.main import PROGRAM, build_app
from kilonova_cli.output import clean

NO_FILES, FILES = 4, 0
"""cobra's ShellCompDirectiveNoFileComp and ShellCompDirectiveDefault."""
_FILE_TYPES = frozenset({"file", "dir"})
_FILE_OPTIONS = frozenset({"-f", "--filename", "--kubeconfig"})


class _Candidates(ShellComplete):
    """Typer's completion without a shell's own words around it."""

    name = "kubectl"
    source_template = ""

    def source_vars(self) -> dict[str, Any]:
        """Return nothing: kubectl brings the script."""
        return {}

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return nothing: kubectl gives the words as arguments."""
        return [], ""

    def format_completion(self, item: CompletionItem) -> str:
        """Return a candidate as cobra prints it."""
        help_text = clean(item.help or "")
        return f"{item.value}\t{help_text}" if help_text else str(item.value)


def complete(words: Sequence[str]) -> list[str]:
    """Return the lines for kubectl; the last word is the unfinished one."""
    *before, incomplete = words or [""]
    if before and before[-1] in _FILE_OPTIONS:
        return [f":{FILES}"]
    engine = _Candidates(get_command(build_app()), {}, PROGRAM, "")
    found = engine.get_completions(list(before), incomplete)
    if any(item.type in _FILE_TYPES for item in found):
        return [f":{FILES}"]
    return [*map(engine.format_completion, found), f":{NO_FILES}"]


def main() -> None:
    """Be the program ``kubectl_complete-nova``."""
    print("\n".join(complete(sys.argv[1:])))
