"""Changes of an order that a running guest can take."""

from kilonova_api.instance import Instance
from kilonova_api.instance_spec import DestroyOrder, InstanceSpec
from kilonova_api.server import Server
from kilonova_operator.domain.placement import InstanceMapping, ServerRef

_ASKS_FOR_CONFIRMATION = frozenset({"OrderFromThePast", "StoreWentBack"})


def build_update(
    spec: InstanceSpec, server: Server, mapping: InstanceMapping, *, writer: int
) -> InstanceSpec | None:
    """Return the order as the Server wants it now; None where it is so.

    Flavor, image, networks, keys and place stay as they were ordered: a newer template
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


def build_confirmation(
    instance: Instance, server: Server, mapping: InstanceMapping, *, writer: int
) -> InstanceSpec | None:
    """Return the same order by a newer writer, where its agent asks for that.

    An agent that saw an order older than one it acted on, or its store going
    back, leaves the guest alone until a leader that knows better says it anew.
    """
    stalled = instance.status.condition("Stalled")
    asks = stalled is not None and stalled.reason in _ASKS_FOR_CONFIRMATION
    spec = instance.spec
    said = (spec.writer, spec.server_generation)
    if not asks or said == (writer, server.metadata.generation):
        return None
    return spec.model_copy(
        update={
            "placement_generation": mapping.placement_generation,
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
