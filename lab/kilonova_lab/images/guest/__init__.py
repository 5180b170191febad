"""The tiny guest: a real system that boots in seconds, for tests and first tries."""

from kilonova_lab.images.guest.build import (
    MINIMUM_MEMORY_MIB,
    READY_LINE,
    GuestImage,
    ensure_blank_image,
    ensure_guest_image,
)

__all__ = [
    "MINIMUM_MEMORY_MIB",
    "READY_LINE",
    "GuestImage",
    "ensure_blank_image",
    "ensure_guest_image",
]
