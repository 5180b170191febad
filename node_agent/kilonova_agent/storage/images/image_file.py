"""Judging an image file by its first bytes, before any program opens it. Pure.

QEMU follows what a header says: a qcow2 can name a backing file or a data file
anywhere on the host, a "raw" file can be a VMDK with extents of its choice. So
only features that every guest needs are let through.
"""

import struct
from dataclasses import dataclass
from typing import Final, Literal

from kilonova_agent.domain.faults import ImageRejected

HEAD_BYTES: Final = 128 * 1024
TAIL_BYTES: Final = 512

_QCOW2_MAGIC = b"QFI\xfb"
# magic, version, backing offset and size, cluster bits, size, crypt, ...,
# snapshots; then, from version 3 on, feature bits and the header's length.
_QCOW2_V2 = struct.Struct(">4sIQIIQIIQQIIQ")
_QCOW2_V3 = struct.Struct(">QQQII")
_QCOW2_VERSIONS = {2, 3}
_COMPRESSION_TYPE_BIT = 1 << 3
_FEATURES = {0: "dirty", 1: "corrupt", 2: "external data file", 4: "extended L2"}
_EXTENSIONS = {
    0xE2792ACA: "backing format",
    0x44415441: "external data file",
    0x0537BE77: "encryption",
}
_MAX_EXTENSIONS = 64

# What a "raw" file must not be: whoever looks at it without being told the
# format would open it as this.
_FOREIGN_MAGICS: Final = (
    (0, _QCOW2_MAGIC, "qcow2"),
    (0, b"QED\0", "qed"),
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0, b"conectix", "vpc"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"LUKS\xba\xbe", "luks"),
    (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"),
    (0, b"Bochs Virtual HD Image", "bochs"),
    (0, b"#!/bin/sh\n#V2.0 Format\n", "cloop"),
    (0x40, b"\x7f\x10\xda\xbe", "vdi"),
)


@dataclass(frozen=True, slots=True)
class FileEnds:
    """The beginning and the end of a file."""

    head: bytes
    tail: bytes


def check_file(ends: FileEnds, declared: Literal["qcow2", "raw"]) -> None:
    """Check that a file is of the declared format and refers to nothing.

    Raises:
        ImageRejected: it is not, or it does.
    """
    if declared == "qcow2":
        _check_qcow2(ends.head)
    else:
        _check_raw(ends)


def _check_raw(ends: FileEnds) -> None:
    for offset, magic, name in _FOREIGN_MAGICS:
        if ends.head[offset : offset + len(magic)] == magic:
            raise ImageRejected(
                f"the image is declared raw and is a {name} file. Declare its format, "
                "or convert it with qemu-img."
            )
    if ends.tail.startswith(b"conectix") or ends.tail.startswith(b"koly"):
        raise ImageRejected("the image is declared raw and is a vpc or dmg file")


def _check_qcow2(head: bytes) -> None:
    if len(head) < _QCOW2_V2.size or not head.startswith(_QCOW2_MAGIC):
        raise ImageRejected("the image is declared qcow2 and is none")
    _, version, backing_offset, _, _, _, crypt, *_ = _QCOW2_V2.unpack_from(head)
    if version not in _QCOW2_VERSIONS:
        raise ImageRejected(f"the image is qcow2 of version {version}: use 2 or 3")
    if backing_offset:
        raise ImageRejected(
            "the image has a backing file, which would be a file of the host. "
            "Flatten it: qemu-img convert -O qcow2."
        )
    if crypt:
        raise ImageRejected("the image is encrypted; encrypted images are refused")
    header_bytes = _QCOW2_V2.size
    if version == 3:
        header_bytes = _check_features(head)
    _check_extensions(head, header_bytes)


def _check_features(head: bytes) -> int:
    if len(head) < _QCOW2_V2.size + _QCOW2_V3.size:
        raise ImageRejected("the image's qcow2 header is cut off")
    incompatible, _, _, _, header_bytes = _QCOW2_V3.unpack_from(head, _QCOW2_V2.size)
    refused = incompatible & ~_COMPRESSION_TYPE_BIT
    if refused:
        names = [
            _FEATURES.get(bit, f"unknown feature {bit}")
            for bit in range(64)
            if refused >> bit & 1
        ]
        raise ImageRejected(
            f"the image uses qcow2 features that are refused: {', '.join(names)}. "
            "Make it anew: qemu-img convert -O qcow2."
        )
    return int(header_bytes)


def _check_extensions(head: bytes, offset: int) -> None:
    for _ in range(_MAX_EXTENSIONS):
        if offset + 8 > len(head):
            break
        kind, length = struct.unpack_from(">II", head, offset)
        if kind == 0:
            return
        if kind in _EXTENSIONS:
            raise ImageRejected(
                f"the image's qcow2 header has an extension that is refused: "
                f"{_EXTENSIONS[kind]}"
            )
        offset += 8 + (length + 7) // 8 * 8
    raise ImageRejected("the image's qcow2 header does not end")
