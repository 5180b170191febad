"""A Server's identity as the databases take it."""

from kilonova_api.server import Server
from kilonova_operator.domain.placement import ServerRef


def build_server_ref(server: Server, *, namespace_uid: str = "") -> ServerRef:
    """Return uid, namespace and name; the namespace's uid where it is known."""
    meta = server.metadata
    return ServerRef(
        uid=meta.uid,
        namespace=meta.namespace or "",
        name=meta.name,
        namespace_uid=namespace_uid,
    )
