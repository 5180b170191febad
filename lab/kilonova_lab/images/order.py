"""The seam between what is to be built and what builds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kilonova_lab.images.inputs import Target


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """One image to build.

    Attributes:
        target: the Containerfile's target.
        reference: the name that the image gets.
        context: folder with the Containerfile and all it copies.
        arguments: values for the Containerfile's ARGs.
        log: file for what the engine prints.
    """

    target: Target
    reference: str
    context: Path
    arguments: Mapping[str, str]
    log: Path


class Engine(Protocol):
    """Builds one target of a Containerfile into an OCI archive."""

    @property
    def base(self) -> str:
        """What the images stand on; part of their keys."""

    def build(self, order: BuildOrder, archive: Path) -> None:
        """Write the archive.

        Raises:
            CommandFailed: with what the engine printed.
        """

    def forget(self, reference: str) -> None:
        """Free what an image takes whose archive is gone; it may be unknown."""
