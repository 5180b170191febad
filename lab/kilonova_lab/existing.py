"""Somebody's own cluster, named by its kubeconfig: installed on, never ended.

Nothing here reaches into its nodes: they pull the images from a registry, into
which a person with an account there has put them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kilonova_lab.errors import LabError
from kilonova_lab.imagestore import ArchivedImage
from kilonova_lab.programs import KUBE, ProgramCache


@dataclass(frozen=True, slots=True)
class ExistingCluster:
    """A cluster that was there before.

    ``registry``: host and path that its nodes pull from, without a last slash.
    """

    kubeconfig: Path
    registry: str | None = None

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
        """Import nothing: the registry has them.

        Raises:
            LabError: no registry was named; says how to fill one.
        """
        if self.registry is not None:
            return {}
        raise LabError(
            f"images cannot be imported into the nodes of {self.kubeconfig} from here: "
            "they must pull them. Push them to a registry that the nodes reach, such "
            "as registry.example/kilonova:\n"
            + "\n".join(build_pushes("registry.example/kilonova", archives))
            + f"\nthen: make up CLUSTER={self.kubeconfig} "
            "REGISTRY=registry.example/kilonova"
        )


def build_pushes(registry: str, archives: Iterable[Path]) -> list[str]:
    """Return the commands that put the archives' images into a registry."""
    return [
        f"  skopeo copy oci-archive:{archive} "
        f"docker://{move_to(registry, ArchivedImage.read(archive).name)}"
        for archive in archives
    ]


def move_to(registry: str, reference: str) -> str:
    """Return what an image built here is called in a registry."""
    return f"{registry}/{get_plain_name(reference)}"


def get_plain_name(reference: str) -> str:
    """Return name and tag of an image built here, without where it is."""
    return reference.rpartition("/")[2]
