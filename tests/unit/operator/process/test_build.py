"""What the parts of the process are made from."""

from kilonova_api.instance import Instance
from kilonova_operator.process.build import find_highest_writer
from support.instances import make_instance


def told(cell: str, writer: int) -> Instance:
    body = make_instance(host="hv1")
    return Instance.model_validate(
        body | {"spec": body["spec"] | {"cell": cell, "writer": writer}}
    )


def test_the_highest_writer_is_the_cells_own() -> None:
    instances = [told("cell1", 57), told("cell1", 3), told("cell2", 90)]
    assert find_highest_writer(instances, "cell1") == 57
    assert find_highest_writer(instances, "api") == 0
