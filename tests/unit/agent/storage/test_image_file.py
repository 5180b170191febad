"""Judging image files by their first bytes."""

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_agent.domain.faults import ImageRejected
from kilonova_agent.storage.images.image_file import FileEnds, check_file

MAGIC = b"QFI\xfb"


def header(
    *,
    version: int = 3,
    backing: int = 0,
    crypt: int = 0,
    features: int = 0,
    extensions: bytes = bytes(8),
) -> bytes:
    first = struct.pack(
        ">4sIQIIQIIQQIIQ", MAGIC, version, backing, 0, 16, 2**20, crypt, *[0] * 6
    )
    if version == 2:
        return first + extensions
    return first + struct.pack(">QQQII", features, 0, 0, 4, 104) + extensions


def extension(kind: int, data: bytes = b"") -> bytes:
    padded = data.ljust((len(data) + 7) // 8 * 8, b"\0")
    return struct.pack(">II", kind, len(data)) + padded


def check(head: bytes, declared: str = "qcow2", tail: bytes = b"") -> None:
    check_file(FileEnds(head, tail), declared)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(header(), id="plain"),
        pytest.param(header(version=2), id="version 2"),
        pytest.param(header(features=1 << 3), id="zstd"),
        pytest.param(
            header(extensions=extension(0x6803F857, bytes(144)) + bytes(8)),
            id="feature names",
        ),
    ],
)
def test_plain_qcow2_passes(head: bytes) -> None:
    check(head)


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (header(backing=512), "backing file"),
        (header(crypt=1), "encrypted"),
        (header(features=1 << 2), "external data file"),
        (header(features=1 << 1), "corrupt"),
        (header(features=1 << 4), "extended L2"),
        (header(features=1 << 40), "unknown feature 40"),
        (header(version=4), "version 4"),
        (header(extensions=extension(0x44415441, b"/etc/shadow")), "data file"),
        (header(version=2, extensions=extension(0xE2792ACA, b"raw")), "backing"),
        (header(extensions=extension(0x1234, b"x") * 70), "does not end"),
        (header()[:80], "cut off"),
        (MAGIC, "is none"),
        (b"", "is none"),
        (b"KDMV" + bytes(200), "is none"),
    ],
)
def test_qcow2_that_may_do_harm_is_rejected(head: bytes, why: str) -> None:
    with pytest.raises(ImageRejected, match=why):
        check(head)


@pytest.mark.parametrize(
    "head",
    [MAGIC + bytes(100), b"KDMV", b"conectix", b"LUKS\xba\xbe", b"# Disk Descriptor"],
)
def test_raw_that_would_be_opened_as_something_else_is_rejected(head: bytes) -> None:
    padded = head + (b"File" if head.startswith(b"#") else b"")
    with pytest.raises(ImageRejected):
        check(padded, "raw")


def test_raw_with_a_vpc_footer_is_rejected() -> None:
    with pytest.raises(ImageRejected):
        check(bytes(512), "raw", b"conectix" + bytes(504))


@settings(deadline=None)  # a busy machine is not a failure
@given(st.binary(max_size=400), st.sampled_from(["qcow2", "raw"]))
def test_no_bytes_break_the_judge(content: bytes, declared: str) -> None:
    with contextlib.suppress(ImageRejected):
        check(MAGIC + content, declared)
        check(content, declared)


@settings(deadline=None)  # a busy machine is not a failure
@given(st.binary(max_size=300))
def test_no_extension_breaks_the_judge(content: bytes) -> None:
    with contextlib.suppress(ImageRejected):
        check(header(extensions=content))
