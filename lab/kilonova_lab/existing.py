"""Somebody's own cluster, named by its kubeconfig: installed on, never ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kilonova_lab.errors import LabError
from kilonova_lab.programs import KUBE, ProgramCache


@dataclass(frozen=True, slots=True)
class ExistingCluster:
    """A cluster that was there before."""

    kubeconfig: Path

    @classmethod
    def open(cls, kubeconfig: Path) -> ExistingCluster:
        """Take the cluster of this kubeconfig.

        Raises:
            LabError: there is no such file.
        """
        if not kubeconfig.is_file():
            raise LabError(f"CLUSTER={kubeconfig}: there is no such kubeconfig file")
        return cls(kubeconfig.resolve())

    @property
    def bin_folders(self) -> Sequence[Path]:
        """Where kubectl and helm are."""
        return [ProgramCache().ensure(KUBE)["kube"]]

    @property
    def libvirt_in_nodes(self) -> bool:
        """Its nodes are real ones, with the libvirt of their owner."""
        return True

    def import_images(self, archives: Iterable[Path]) -> Mapping[str, Sequence[str]]:
        """Refuse: nothing here can reach into its nodes."""
        names = ", ".join(archive.name for archive in archives)
        raise LabError(
            f"images cannot be imported into the nodes of {self.kubeconfig} from here. "
            f"Push {names} to a registry that they reach, and name it in the chart's "
            "image.repository."
        )
