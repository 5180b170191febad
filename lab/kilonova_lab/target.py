"""What Kilonova is installed on, whatever made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

TargetKind = Literal["kubeconfig", "kind", "lab"]


class Target(Protocol):
    """A cluster that answers."""

    @property
    def kubeconfig(self) -> Path:
        """An admin's kubeconfig."""

    @property
    def bin_folders(self) -> Sequence[Path]:
        """Where kubectl and helm are."""

    @property
    def libvirt_in_nodes(self) -> bool:
        """Whether nodes labelled for it have libvirt of their own."""

    def import_images(self, archives: Iterable[Path]) -> Mapping[str, Sequence[str]]:
        """Make OCI archives' images known to every node.

        Raises:
            LabError: this cluster takes none from here; says what to do instead.
        """
