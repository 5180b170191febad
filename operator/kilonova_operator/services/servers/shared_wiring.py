"""Parts that both super and the cells take for their way with Servers."""

from collections.abc import Callable

from kilonova_operator.context import ProcessContext
from kilonova_operator.domain.servers.waiting import Patience
from kilonova_operator.roles import SUPER
from kilonova_operator.services.control.server_time import build_server_time
from kilonova_operator.services.informers import BY_SERVER_UID
from kilonova_operator.services.servers.crd_health import CrdHealth
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.servers.lost_servers import LostServers
from kilonova_operator.settings import API_DATABASE


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


def build_lost_servers(context: ProcessContext) -> LostServers:
    """Return super's keeper of Servers that only a restored row knows."""
    return LostServers(
        kube=context.kube,
        api=context.stores.api,
        duty=build_duty(context, SUPER, API_DATABASE),
        crds=CrdHealth(context.kube),
        instances=build_view(context),
        server_uids=read_server_uids(context),
        notes=context.lost,
        feeds=context.feeds,
        now=build_server_time(context.kube, context.clock).now,
    )
