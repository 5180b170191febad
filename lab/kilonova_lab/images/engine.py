"""Choose what builds the images: Docker where an engine answers, else buildah."""

import os
from collections.abc import Callable
from pathlib import Path

from kilonova_lab.errors import CommandFailed, ProgramsMissing
from kilonova_lab.images.buildah import BuildahEngine
from kilonova_lab.images.cache import Cache
from kilonova_lab.images.command import run
from kilonova_lab.images.debian import Debian
from kilonova_lab.images.docker import DockerEngine
from kilonova_lab.images.order import Engine

DOCKER_ANSWER_SECONDS = 15.0

BUILDER_VARIABLE = "KILONOVA_BUILDER"
"""Set to ``buildah``, it keeps a Docker engine that is there out of it."""


def choose_engine(
    debian: Debian, checkout: Path, cache: Cache, progress: Callable[[str], None]
) -> Engine:
    """Return Docker if an engine answers, else buildah."""
    if os.environ.get(BUILDER_VARIABLE) != "buildah" and docker_answers():
        return DockerEngine(debian)
    return BuildahEngine(debian, checkout, cache, progress)


def docker_answers() -> bool:
    """Tell whether a Docker engine, not just its command, is there."""
    version = ("docker", "version", "--format", "{{.Server.Version}}")
    try:
        run(version, timeout_seconds=DOCKER_ANSWER_SECONDS)
    except (CommandFailed, ProgramsMissing):
        return False
    return True
