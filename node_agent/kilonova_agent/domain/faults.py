"""Why a guest cannot be what its Instance asks for.

A fault's class name is also the reason of the condition and of
``Instance.status.fault``. ``retryable`` tells whether another host may succeed.

::

    GuestFault
    ├── ImageFault
    │   ├── InvalidUrl        the URL may not be opened from here
    │   ├── ImageUnavailable  the server did not give the file
    │   ├── ChecksumMismatch  it gave another file
    │   ├── ImageRejected     the file is not what it says, or may do harm
    │   └── ImageTooLarge     the file or its disk is bigger than allowed
    ├── DiskFull              this host has no room
    ├── StorageFailed         this host's file system or its programs fail
    ├── BridgeNotFound        this host has no such bridge
    ├── NetworkUnavailable    this host cannot make the network
    ├── CpuUnavailable        a processor it has its place on is not online
    ├── PagesUnavailable      this host has too few free memory pages
    ├── NumaCellUnavailable   this host has no such NUMA cell
    ├── MachineImpossible     what is asked of the machine contradicts itself
    ├── GuestRejected         libvirt refused the guest
    └── SecretNotFound        the user data is not there, or not the one meant
"""

from typing import ClassVar

# The API allows 1024; the rest is room for "..." and for escapes.
MAX_MESSAGE_CHARS = 1000


class GuestFault(Exception):
    """A failure that belongs to one guest and that a person can read."""

    retryable: ClassVar[bool] = False

    @property
    def reason(self) -> str:
        """The word for conditions, faults and metrics."""
        return type(self).__name__

    @property
    def message(self) -> str:
        """The sentence for people, no longer than the API takes."""
        text = str(self)
        return text if len(text) <= MAX_MESSAGE_CHARS else f"{text[:997]}..."


class ImageFault(GuestFault):
    """The image cannot become a disk."""


class InvalidUrl(ImageFault):
    """The URL, or one it redirects to, may not be opened from this host."""


class ImageUnavailable(ImageFault):
    """The image's server did not give the file.

    ``final``: the server's own word (404, 403), not a failure on the way.
    """

    retryable: ClassVar[bool] = True
    final: bool = False


class ChecksumMismatch(ImageFault):
    """The file is complete and is not the one that was meant."""


class ImageRejected(ImageFault):
    """The file is not what it is declared to be, or may do harm."""


class ImageTooLarge(ImageFault):
    """The file, or the disk inside it, is bigger than allowed."""


class DiskFull(GuestFault):
    """The host's file system for guests has no room."""

    retryable: ClassVar[bool] = True


class StorageFailed(GuestFault):
    """The host cannot make or keep the guest's files."""

    retryable: ClassVar[bool] = True


class BridgeNotFound(GuestFault):
    """The host has no bridge of that name."""

    retryable: ClassVar[bool] = True


class NetworkUnavailable(GuestFault):
    """The host cannot make the network."""

    retryable: ClassVar[bool] = True


class CpuUnavailable(GuestFault):
    """The host has no online processor where the guest has its place."""

    retryable: ClassVar[bool] = True


class PagesUnavailable(GuestFault):
    """The host has too few free memory pages of a size."""

    retryable: ClassVar[bool] = True


class NumaCellUnavailable(GuestFault):
    """The host has no NUMA cell of that number."""

    retryable: ClassVar[bool] = True


class MachineImpossible(GuestFault):
    """Order, flavor and image ask for a machine that cannot be."""


class GuestRejected(GuestFault):
    """libvirt refused to define or start the guest."""

    retryable: ClassVar[bool] = True


class SecretNotFound(GuestFault):
    """The Secret with the user data is missing, or is not the one meant."""
