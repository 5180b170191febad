"""The words of a flavor and an image that speak of NUMA, and how they are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from kilonova_operator.domain.errors import KilonovaError

T = TypeVar("T")

_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})


class NumaRequestInvalid(KilonovaError):
    """Flavor and image ask for something that no host can be."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


@dataclass(frozen=True, slots=True)
class NumaRequest:
    """The size of a guest and everything its flavor and image say."""

    vcpus: int
    memory_mib: int
    extra_specs: Mapping[str, str] = field(default_factory=dict)
    image_properties: Mapping[str, str] = field(default_factory=dict)

    def find_spec(self, name: str) -> str | None:
        """Return the flavor's word; an empty one is none."""
        return self.extra_specs.get(spec_key(name)) or None

    def find_property(self, name: str) -> str | None:
        """Return the image's word."""
        return self.image_properties.get(property_key(name))


def spec_key(name: str) -> str:
    """Return the flavor's key: ``hw:cpu_policy``."""
    return f"hw:{name}"


def property_key(name: str) -> str:
    """Return the image's key: ``hw_cpu_policy``."""
    return f"hw_{name}"


def read_list(
    words: Mapping[str, str], key: str, read: Callable[[str], T]
) -> list[T] | None:
    """Read ``key.0``, ``key.1`` and so on, up to the first that is not there.

    Raises:
        NumaRequestInvalid: one of them cannot be read.
    """
    values = []
    for number in count():
        name = f"{key}.{number}"
        if name not in words:
            break
        values.append(read_word(name, words[name], read))
    return values or None


def read_word(key: str, word: str, read: Callable[[str], T]) -> T:
    """Read one word; what ``read`` cannot read is told with its key.

    Raises:
        NumaRequestInvalid: it cannot be read.
    """
    try:
        return read(word)
    except ValueError as error:
        raise NumaRequestInvalid(key, str(error)) from error


def read_whole_number(word: str) -> int:
    """Read a whole number in its plain form.

    Raises:
        ValueError: it is none.
    """
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"'{word}' is no whole number") from None


def read_truth(word: str) -> bool:
    """Read yes or no as oslo_utils.strutils.bool_from_string does."""
    return word.strip().lower() in _TRUE
