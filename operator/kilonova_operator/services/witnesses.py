"""What Instances are witness of, with what other objects know beside them.

An Instance names its Server and its host. Of which group the Server is, and which
uid its namespace has, stands in objects that a lost database did not take along.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.server_group import ServerGroup
from kilonova_operator.domain.placement import NicClaim, ServerRef, WitnessedClaim
from kilonova_operator.domain.scheduling.request import build_amounts
from kilonova_operator.domain.servers.guest_cpus import read_placement
from kilonova_operator.domain.servers.guest_step import SERVER_DELETED
from kilonova_operator.services.informers import Informers


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Reads all of them."""

    kube: KubeApi
    informers: Informers

    async def read_all(self) -> Sequence[tuple[Instance, WitnessedClaim]]:
        """Return every Instance with what is to be put back for it."""
        instances = tuple(self.informers.instances.items().values())
        if not instances:
            return ()
        groups = await self._read_groups()
        return [(one, self._complete(build_witness(one), groups)) for one in instances]

    async def _read_groups(self) -> Mapping[Key, str]:
        """Return the uids of all groups."""
        return {
            Key.of_object(obj): obj["metadata"]["uid"]
            async for page in self.kube.pages(ServerGroup.resource())
            for obj in page.items
        }

    def _complete(
        self, witness: WitnessedClaim, groups: Mapping[Key, str]
    ) -> WitnessedClaim:
        ref, informers = witness.server, self.informers
        server = informers.servers.find(Key(ref.namespace, ref.name))
        host = informers.compute_hosts.find(Key("", witness.host))
        known = server is not None and server.uid == ref.uid
        group = server.group if server is not None and known else None
        uid = informers.namespaces.find(Key("", ref.namespace))
        return replace(
            witness,
            server=replace(ref, namespace_uid=uid or ""),
            group_uid=None if group is None else groups.get(group),
            zone=(host.status.zone or "") if host is not None else "",
        )


def build_witness(instance: Instance) -> WitnessedClaim:
    """Return what an Instance says is held."""
    spec = instance.spec
    # A guest that ends because its Server moved says nothing of the Server's end.
    ended = spec.destroy is not None and spec.destroy.reason == SERVER_DELETED
    own = build_amounts(spec.flavor, spec.image.properties)
    shared: dict[str, dict[str, int]] = {}
    for hold in spec.shared_amounts:
        own.pop(hold.resource_class, None)
        shared.setdefault(hold.provider, {})[hold.resource_class] = hold.amount
    return WitnessedClaim(
        server=ServerRef(
            uid=spec.server.uid, namespace=spec.server.namespace, name=spec.server.name
        ),
        instance_uuid=instance.metadata.name,
        host=spec.host,
        placement_generation=spec.placement_generation,
        amounts=own,
        shared=shared,
        nics=tuple(
            NicClaim(nic.name, nic.network_id, nic.address, nic.mac)
            for nic in spec.networks
        ),
        object_generation=spec.server_generation,
        deleted=ended,
        numa=read_placement(spec),
        vcpus=spec.flavor.vcpus,
        ram_mib=spec.flavor.ram_mib,
    )
