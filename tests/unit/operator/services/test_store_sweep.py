"""What an Instance is a witness of."""

import pytest

from kilonova_api.flavor import FlavorSize
from kilonova_api.image import ImageFile
from kilonova_api.instance import (
    DestroyOrder,
    Instance,
    InstanceSpec,
    ServerIdentity,
)
from kilonova_api.meta import ObjectMeta
from kilonova_operator.services.store_sweep import build_witness

UID = "00000000-0000-4000-8000-000000000001"


def made_instance(destroy: DestroyOrder | None) -> Instance:
    spec = InstanceSpec(
        server=ServerIdentity(cluster="c", namespace="shop", name="web", uid=UID),
        cell="cell1",
        host="hv1",
        writer=1,
        placement_generation=3,
        server_generation=2,
        build_id="build-1",
        min_agent_version="0.1.0",
        power_state="Manual",
        flavor_name="m1.small",
        flavor=FlavorSize(vcpus=1, ram_mib=64),
        image_name="tiny",
        image=ImageFile(
            url="http://images/tiny", checksum="sha256:" + "0" * 64, format="raw"
        ),
        hostname="web",
        destroy=destroy,
    )
    return Instance(metadata=ObjectMeta(name=UID), spec=spec)


@pytest.mark.parametrize(
    ("reason", "deleted"),
    [
        pytest.param(None, False, id="it runs"),
        pytest.param("ServerDeleted", True, id="its Server was deleted"),
        pytest.param("ServerMoved", False, id="its Server lives on elsewhere"),
    ],
)
def test_only_a_deleted_servers_end_speaks_of_the_servers_end(
    reason: str | None, *, deleted: bool
) -> None:
    order = reason and DestroyOrder(placement_generation=3, reason=reason)
    witness = build_witness(made_instance(order or None))
    assert witness.deleted is deleted
    assert (witness.server.uid, witness.host) == (UID, "hv1")
    assert (witness.placement_generation, witness.object_generation) == (3, 2)
    assert witness.amounts == {"VCPU": 1, "MEMORY_MB": 64}
