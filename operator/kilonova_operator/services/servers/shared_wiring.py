"""Parts that both super and the cells take for their way with Servers."""

from collections.abc import Callable

from kilonova_operator.context import ProcessContext
from kilonova_operator.domain.servers.waiting import Patience
from kilonova_operator.services.informers import BY_SERVER_UID
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.instance_view import InstanceView


def build_duty(context: ProcessContext, role: str, database: str) -> Duty:
    """Return the right to write in a role, on its database."""
    return Duty(
        check=lambda: context.leadership.check(role),
        check_frozen=context.freeze.check,
        term=lambda: context.leadership.term(database),
    )


def build_view(context: ProcessContext) -> InstanceView:
    """Return a role's own view of Instances."""
    return InstanceView(
        context.informers.instances, context.clock, server_uid_index=BY_SERVER_UID
    )


def build_patience(context: ProcessContext) -> Patience:
    """Return how long something may be missing before it is an error."""
    settings = context.settings
    return Patience(
        reference_seconds=settings.reference_grace_seconds,
        no_valid_host_seconds=settings.no_valid_host_grace_seconds,
    )


def read_server_uids(context: ProcessContext) -> Callable[[], frozenset[str]]:
    """Return a reader of the uids of all Servers that exist."""
    informer = context.informers.servers
    return lambda: frozenset(server.uid for server in informer.items().values())
