"""Settings from the environment, for every program in one way.

A variable that nothing reads is a typing error in most cases, and one without a
trace: what it was to set keeps its default. So it is refused like a wrong value.
"""

import os
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

PREFIX = "KILONOVA_"
S = TypeVar("S", bound=BaseSettings)


class BadSettings(Exception):
    """The environment says what cannot be; one line for each thing that is wrong."""


def read_settings(kind: type[S]) -> S:
    """Read the settings of a program.

    Raises:
        BadSettings: a variable is wrong, missing, or unknown.
    """
    problems = list(_find_unknown(kind, os.environ))
    try:
        settings = kind()
    except ValidationError as error:
        problems += _tell(error)
    else:
        if not problems:
            return settings
    raise BadSettings("\n".join(problems))


def list_variables(kind: type[BaseSettings]) -> tuple[str, ...]:
    """List the environment variables of a program."""
    return tuple(f"{PREFIX}{name.upper()}" for name in kind.model_fields)


def _find_unknown(
    kind: type[BaseSettings], environment: Iterable[str]
) -> Iterator[str]:
    known = list_variables(kind)
    fields = [name.removeprefix(PREFIX) for name in known]
    for name in sorted(environment):
        variable = name.upper()
        if variable.startswith(PREFIX) and variable not in known:
            meant = get_close_matches(variable.removeprefix(PREFIX), fields, n=1)
            hint = f"did you mean {PREFIX}{meant[0]}?" if meant else "take it away"
            yield f"{name}: there is no such setting; {hint}"


def _tell(error: ValidationError) -> Iterator[str]:
    """Say what is wrong with which variable, without a value: it may be secret."""
    for wrong in error.errors(include_url=False, include_input=False):
        field = str(wrong["loc"][0]) if wrong["loc"] else ""
        text = wrong["msg"].removeprefix("Value error, ")
        yield f"{PREFIX}{field.upper()}: {text}" if field else text
