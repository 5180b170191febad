"""What can go wrong while images are built."""

from kilonova_lab.errors import LabError


class ImageBuildFailed(LabError):
    """An image could not be built; the text says why and what to do."""
