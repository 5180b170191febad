"""A scheduling decision as a table: what removed which hosts. Pure."""

from collections.abc import Iterable, Sequence

from kilonova_api.admin import HostJudgement
from kilonova_api.server_status import SchedulingRecord
from kilonova_cli.output import Grid

_NUMBERS = frozenset({"REMOVED", "LEFT", "TOTAL"})


def build_stages(record: SchedulingRecord) -> Grid:
    """Return the stages with the hosts left after each; the last row adds them up."""
    removed = sum(stage.hosts_removed for stage in record.stages)
    rows: list[tuple[object, ...]] = [("all hosts", "", record.hosts_considered, "")]
    rows += [
        (stage.constraint, stage.hosts_removed, stage.hosts_left, stage.message)
        for stage in record.stages
    ]
    rows.append(("in all", removed, record.hosts_left, ""))
    return Grid(("CONSTRAINT", "REMOVED", "LEFT", "WHAT IT ASKED FOR"), rows, _NUMBERS)


def find_mismatch(record: SchedulingRecord) -> str | None:
    """Return what does not add up in a record; None where all does."""
    removed = sum(stage.hosts_removed for stage in record.stages)
    if removed + record.hosts_left == record.hosts_considered:
        return None
    return (
        f"{removed} removed and {record.hosts_left} left are not "
        f"{record.hosts_considered} considered: this record is incomplete"
    )


def build_hosts(hosts: Sequence[HostJudgement]) -> Grid:
    """Return every host with its weights, or with what it failed."""
    weighers = _list_weighers(hosts)
    headings = ("HOST", "TOTAL", *weighers, "FAILED")
    rows = [
        (
            host.host,
            _format(host.total),
            *(_format(host.weights.get(name)) for name in weighers),
            host.failed or "",
        )
        for host in hosts
    ]
    return Grid(headings, rows, _NUMBERS | frozenset(weighers))


def _list_weighers(hosts: Iterable[HostJudgement]) -> list[str]:
    """Name the weighers that say anything: many are 0 everywhere."""
    weighed = [host.weights for host in hosts if host.failed is None]
    names = dict.fromkeys(name for weights in weighed for name in weights)
    return [n for n in names if any(weights.get(n) for weights in weighed)]


def _format(weight: float | None) -> str:
    return "" if weight is None else f"{weight:.4f}"
