"""What is read out of a host's report."""

from kilonova_api.host_report import NumaCell


def read_cores(cpus: str, *siblings: str) -> list[list[int]]:
    cell = NumaCell(id=0, cpus=cpus, siblings=siblings, memory_mib=1)
    return [sorted(core) for core in cell.list_cores()]


def test_processors_without_siblings_are_cores_of_their_own() -> None:
    assert read_cores("0-2,8-9", "0,8", "1,9") == [[0, 8], [1, 9], [2]]
    assert read_cores("4-5") == [[4], [5]]


def test_a_cell_of_memory_alone_has_no_cores() -> None:
    assert read_cores("") == []
