"""Changes of an order that a running guest can take."""

from kilonova_api.instance import DestroyOrder, InstanceSpec
from kilonova_api.server import Server
from kilonova_operator.domain.placement import InstanceMapping, ServerRef


def build_update(
    spec: InstanceSpec, server: Server, mapping: InstanceMapping, *, writer: int
) -> InstanceSpec | None:
    """Return the order as the Server wants it now; None where it is so.

    Flavor, image, networks and keys stay as they were ordered: a newer template
    or catalogue never redefines a guest that exists.
    """
    changed = spec.model_copy(
        update={
            "power_state": server.spec.power_state,
            "metadata": server.spec.metadata,
            "placement_generation": max(
                spec.placement_generation, mapping.placement_generation
            ),
        }
    )
    if changed == spec:
        return None
    return changed.model_copy(
        update={
            "server_generation": server.metadata.generation,
            "writer": writer,
        }
    )


def build_repeat(
    spec: InstanceSpec,
    owner: ServerRef,
    *,
    writer: int,
    destroy: DestroyOrder | None = None,
) -> InstanceSpec:
    """Return a booked order to be given once more: the same build, no new disk.

    owner: who the guest belongs to now; another Server may have adopted it.
    """
    identity = spec.server.model_copy(
        update={"uid": owner.uid, "namespace": owner.namespace, "name": owner.name}
    )
    return spec.model_copy(
        update={
            "server": identity,
            "writer": writer,
            "destroy": destroy or spec.destroy,
        }
    )
