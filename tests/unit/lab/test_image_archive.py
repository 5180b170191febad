"""OCI archives that we write ourselves."""

import tarfile
from pathlib import Path

import pytest

from kilonova_lab.images.archive import (
    ImageConfig,
    LayerFile,
    read_digest,
    write_archive,
)
from support.oci import read_config, read_layers, unpack

LAYERS = [
    [LayerFile("bin/tool", b"#!/bin/sh\n", mode=0o755)],
    [LayerFile("srv/data", b"data")],
]
CONFIG = ImageConfig(entrypoint=("/bin/tool", "-f"), user="65532:65532")


def test_what_was_written_is_what_a_container_sees(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    digest = write_archive(archive, "localhost/x:1", layers=LAYERS, config=CONFIG)
    root = tmp_path / "root"
    unpack(archive, root)
    assert (root / "bin/tool").stat().st_mode & 0o777 == 0o755
    assert (root / "srv/data").read_bytes() == b"data"
    assert read_config(archive)["User"] == "65532:65532"
    assert read_config(archive)["Entrypoint"] == ["/bin/tool", "-f"]
    assert read_digest(archive) == digest
    assert len(read_layers(archive)) == 2


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("first", "second")]
    for path in paths:
        write_archive(path, "localhost/x:1", layers=LAYERS, config=CONFIG)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_changed_layer_leaves_the_others(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    changed = [LAYERS[0], [LayerFile("srv/data", b"other")]]
    write_archive(first, "localhost/x:1", layers=LAYERS, config=CONFIG)
    write_archive(second, "localhost/x:1", layers=changed, config=CONFIG)
    before, after = read_layers(first), read_layers(second)
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_another_sort_of_archive_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "other.tar"
    with tarfile.open(archive, "w"):
        pass
    with pytest.raises(ValueError, match=r"no index\.json"):
        read_digest(archive)
