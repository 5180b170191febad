"""Build with a Docker engine."""

from dataclasses import dataclass
from pathlib import Path

from kilonova_lab.images.command import run
from kilonova_lab.images.debian import Debian
from kilonova_lab.images.order import BuildOrder

BUILD_TIMEOUT_SECONDS = 1800.0
QUICK_TIMEOUT_SECONDS = 120.0

_BUILDKIT = {
    "DOCKER_BUILDKIT": "1",
    # They carry the time of the build, so equal input would differ.
    "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
}


@dataclass(frozen=True, slots=True)
class DockerEngine:
    """Builds through ``docker build``; needs Docker 25, whose save is OCI."""

    debian: Debian

    @property
    def base(self) -> str:
        """The public image of the Debian that is wanted."""
        return f"docker.io/library/debian:{self.debian.number}-slim"

    def build(self, order: BuildOrder, archive: Path) -> None:
        """Write the archive; the image also stays in the engine, named."""
        settings = {"BASE": self.base, "SOURCE_DATE_EPOCH": "0", **order.arguments}
        arguments = [f"--build-arg={name}={value}" for name, value in settings.items()]
        run(
            [
                *("docker", "build", "--target", order.target),
                *("--tag", order.reference, "--file", order.context / "Containerfile"),
                *arguments,
                order.context,
            ],
            timeout_seconds=BUILD_TIMEOUT_SECONDS,
            environment=_BUILDKIT,
            log=order.log,
        )
        run(
            ["docker", "save", "--output", archive, order.reference],
            timeout_seconds=BUILD_TIMEOUT_SECONDS,
        )

    def forget(self, reference: str) -> None:
        """Remove the image's name; Docker's own pruning does the rest."""
        listed = ("docker", "image", "ls", "--quiet", reference)
        if run(listed, timeout_seconds=QUICK_TIMEOUT_SECONDS).strip():
            run(["docker", "rmi", reference], timeout_seconds=QUICK_TIMEOUT_SECONDS)
