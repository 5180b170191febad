"""``kubectl nova aggregate``: hosts that have something in common."""

import typer

from kilonova_api.host_aggregate import HostAggregate
from kilonova_cli.ages import tell_age
from kilonova_cli.objects import read
from kilonova_cli.options import Session, add_command
from kilonova_cli.output import Grid

app = typer.Typer(no_args_is_help=True, help="Host aggregates.")

_HEADINGS = ("NAME", "ZONE", "HOSTS", "METADATA", "SHARED", "READY", "AGE", "WHY")


@add_command(app, "list", namespaced=False)
def list_aggregates(session: Session) -> None:
    """List aggregates: the zone each makes, its hosts and metadata."""
    objects = session.cluster.list(HostAggregate.resource())
    if not session.out.for_people:
        session.out.objects(objects)
        return
    rows = [_build_row(read(HostAggregate, obj)) for obj in objects]
    session.out.grid(Grid(_HEADINGS, rows, frozenset({"HOSTS"})))


def _build_row(aggregate: HostAggregate) -> tuple[object, ...]:
    spec, status = aggregate.spec, aggregate.status
    ready = status.condition("Ready")
    is_ready = ready is not None and ready.status == "True"
    return (
        aggregate.metadata.name,
        spec.availability_zone,
        status.hosts,
        ",".join(f"{key}={value}" for key, value in sorted(spec.metadata.items())),
        ",".join(f"{r.resource_class}={r.total}" for r in spec.shared_resources),
        ready.status if ready else None,
        tell_age(aggregate.metadata.creation_timestamp),
        ready.reason if ready and not is_ready else None,
    )
