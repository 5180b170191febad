"""The committed CRDs are what the models say."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from kilonova_api.crdgen.files import build_files, find_differences
from kilonova_api.crdgen.structural import UnsupportedSchema, build_structural
from support.crds import REPOSITORY


def test_the_committed_files_are_what_the_models_say() -> None:
    assert find_differences(build_files(REPOSITORY)) == []


def test_a_file_that_differs_or_is_not_there_is_found(tmp_path: Path) -> None:
    files = build_files(tmp_path)
    assert find_differences(files) == list(files)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    changed = next(iter(files))
    changed.write_text("edited by hand")
    assert find_differences(files) == [changed]


def test_the_files_are_the_same_each_time(tmp_path: Path) -> None:
    assert build_files(tmp_path) == build_files(tmp_path)


class _Union(BaseModel):
    both: int | str


class _Open(BaseModel):
    anything: Annotated[object, Field(description="Whatever one likes.")]


class _Float(BaseModel):
    ratio: float


@pytest.mark.parametrize("model", [_Union, _Open, _Float])
def test_a_model_that_a_crd_cannot_enforce_is_refused(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    with pytest.raises(UnsupportedSchema, match=r"Kind\.spec\."):
        build_structural(schema, {}, path="Kind.spec", with_defaults=True)
