"""The images that a cluster runs: built once per content, kept in a cache."""

from kilonova_lab.images.build import BuiltImage, build_images
from kilonova_lab.images.inputs import TARGETS, Target

__all__ = ["TARGETS", "BuiltImage", "Target", "build_images"]
