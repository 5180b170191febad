"""What wakes a Server's reconcilers beside the feeds of the process."""

from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.resources import Key
from kilonova_operator.context import ProcessContext
from kilonova_operator.services.control.feeds import FeedKind
from kilonova_operator.services.informers import BY_HOST, ServerSummary


def follow_hosts(context: ProcessContext, cell: str) -> None:
    """Wake the Servers of a host that went down or came back."""

    def changed(key: Key, old: ComputeHost | None, new: ComputeHost | None) -> None:
        if (old.status.state if old else None) == (new.status.state if new else None):
            return
        for instance in context.informers.instances.by_index(BY_HOST, key.name):
            server = instance.spec.server
            context.feeds.publish(
                FeedKind.SERVERS, Key(server.namespace, server.name), cell=cell
            )

    context.informers.compute_hosts.on_change(changed)


def follow_servers(context: ProcessContext) -> None:
    """Wake a Server that appeared, was changed or is being deleted.

    kopf tells the same and more. But kopf's watch can go deaf (a restored
    store, a kind that was away for a while), and ours cannot.
    """

    def changed(key: Key, old: ServerSummary | None, new: ServerSummary | None) -> None:
        if new is None or _is_unchanged(old, new):
            return
        context.feeds.publish(FeedKind.SERVERS, key, cell=new.cell)

    context.informers.servers.on_change(changed)


def _is_unchanged(old: ServerSummary | None, new: ServerSummary) -> bool:
    if old is None or old.uid != new.uid:
        return False
    return (old.generation, old.deleting) == (new.generation, new.deleting)
