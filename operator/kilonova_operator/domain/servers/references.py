"""What a Server refers to, and what is wrong with it.

A problem ``waits`` when the thing may still come: Helm and Flux create objects
in any order. The others are plain mistakes and are told at once.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from kilonova_api.flavor import Flavor
from kilonova_api.image import ClusterImage, Image
from kilonova_api.instance_spec import AuthorizedKey
from kilonova_api.meta import SecretKeyRef
from kilonova_api.network import ClusterNetwork, Network
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_api.server_spec import NetworkRef, ServerNic
from kilonova_operator.domain.catalogue.judgements import judge_image

MAX_USER_DATA_BYTES = 49151
"""65535 bytes in base64, as in Nova (nova.compute.api.MAX_USERDATA_SIZE)."""
_MAX_PUBLIC_KEY_CHARS = 16384
_PUBLIC_KEY = re.compile(r"(ssh|ecdsa|sk)-[-@.a-z0-9]+ \S+( [^\r\n]*)?")

AnyImage = Image | ClusterImage
AnyNetwork = Network | ClusterNetwork


@dataclass(frozen=True, slots=True)
class SecretValue:
    """What was found under one key of a Secret; its text stays out of reprs."""

    secret_exists: bool
    value: bytes | None = field(repr=False)
    readable: bool = True
    """False: the operator may not read Secrets of that namespace."""


@dataclass(frozen=True, slots=True)
class References:
    """Everything a Server refers to, as it was found; None where it is missing."""

    flavor: Flavor | None
    image: AnyImage | None
    networks: Mapping[str, AnyNetwork | None]
    """By the name of the NIC."""
    secrets: Mapping[tuple[str, str], SecretValue] = field(default_factory=dict)
    """By name and key of the Secret."""
    group: ServerGroup | None = None
    """None as well where the Server names none."""

    def secret(self, ref: SecretKeyRef) -> SecretValue:
        """Return what was found for a reference to a Secret's key."""
        missing = SecretValue(secret_exists=False, value=None)
        return self.secrets.get((ref.name, ref.key), missing)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a Server cannot be built now: a condition's reason and message."""

    reason: str
    message: str
    waits: bool = False
    grace_seconds: float | None = None
    """How long it is waited for, where that is not the usual time."""


def secret_refs(server: Server) -> tuple[SecretKeyRef, ...]:
    """Return every Secret key that the Server names."""
    spec = server.spec
    keys = tuple(key.secret_ref for key in spec.ssh_keys if key.secret_ref)
    return (*keys, spec.user_data_ref) if spec.user_data_ref else keys


def network_kind(ref: NetworkRef) -> str:
    """Return the kind a network reference means."""
    return ref.kind or "Network"


def find_problem(server: Server, found: References) -> Problem | None:
    """Return the problem to tell first: a plain mistake before what may come."""
    problems = list(_problems(server, found))
    return next(
        (problem for problem in problems if not problem.waits),
        problems[0] if problems else None,
    )


def resolve_user_data(server: Server, found: References) -> bytes | None:
    """Return the bytes of the user data; only after ``find_problem`` gave None."""
    if server.spec.user_data is not None:
        return server.spec.user_data.encode()
    if server.spec.user_data_ref is not None:
        return found.secret(server.spec.user_data_ref).value
    return None


def resolve_ssh_keys(server: Server, found: References) -> tuple[AuthorizedKey, ...]:
    """Return the public keys; only after ``find_problem`` gave None."""
    return tuple(
        AuthorizedKey(name=key.name, public_key=text)
        for key in server.spec.ssh_keys
        if (text := _key_text(key.public_key, key.secret_ref, found)) is not None
    )


def _problems(server: Server, found: References) -> Iterator[Problem]:
    yield from _flavor_problems(server, found)
    yield from _image_problems(server, found)
    for nic in server.spec.networks:
        yield from _network_problems(nic, found.networks.get(nic.name))
    yield from _group_problems(server, found)
    yield from _secret_problems(server, found)
    yield from _key_problems(server, found)
    yield from _user_data_problems(server, found)


def _flavor_problems(server: Server, found: References) -> Iterator[Problem]:
    if found.flavor is None:
        name = server.spec.flavor_ref.name
        yield Problem(
            "FlavorNotFound",
            f"Flavor {name} does not exist. Create it, or delete this Server and "
            "create it with another flavorRef.",
            waits=True,
        )


def _image_problems(server: Server, found: References) -> Iterator[Problem]:
    ref, image, flavor = server.spec.image_ref, found.image, found.flavor
    if image is None:
        where = f" in namespace {server.metadata.namespace}"
        yield Problem(
            "ImageNotFound",
            f"{ref.kind} {ref.name} does not exist"
            f"{where if ref.kind == 'Image' else ''}. Create it; imageRef.kind says "
            "whether an Image of this namespace or a ClusterImage is meant.",
            waits=True,
        )
        return
    # Its status may not say so yet.
    judged = judge_image(image.spec.properties)
    if judged.also == "Stalled":
        yield Problem(judged.reason, f"{ref.kind} {ref.name}: {judged.message}")
    if flavor is None:
        return
    size, file = flavor.spec, image.spec
    if file.min_ram_mib > size.ram_mib:
        yield Problem(
            "FlavorMemoryTooSmall",
            f"{ref.kind} {ref.name} needs {file.min_ram_mib} MiB of memory, flavor "
            f"{flavor.metadata.name} gives {size.ram_mib}. Use a larger flavor.",
        )
    if not size.root_gib and isinstance(image, Image):
        # A tenant's image may declare any size, and the flavor counts none of it.
        # Source: policy servers:create:zero_disk_flavor (admins only), Nova 34.
        yield Problem(
            "ZeroDiskFlavor",
            f"Flavor {flavor.metadata.name} has a root disk of 0 GiB: the image's own "
            f"size, which is allowed for a ClusterImage only. Image {ref.name} is a "
            "tenant's. Delete this Server and create it with a flavor that has "
            "rootGiB, or with a ClusterImage.",
        )
    # A root size of 0 means the image's own size, which always suffices.
    if size.root_gib and file.min_disk_gib > size.root_gib:
        yield Problem(
            "FlavorDiskTooSmall",
            f"{ref.kind} {ref.name} needs a root disk of {file.min_disk_gib} GiB, "
            f"flavor {flavor.metadata.name} gives {size.root_gib}. Use a larger "
            "flavor.",
        )


def _network_problems(nic: ServerNic, network: AnyNetwork | None) -> Iterator[Problem]:
    kind, name = network_kind(nic.network_ref), nic.network_ref.name
    if network is None:
        yield Problem(
            "NetworkNotFound",
            f"{kind} {name} of NIC {nic.name} does not exist. Create it; "
            "networkRef.kind says whether a Network of this namespace or a "
            "ClusterNetwork is meant.",
            waits=True,
        )
        return
    cidr = network.status.cidr
    if cidr is None or not network.status.is_true("Ready"):
        ready = network.status.condition("Ready")
        reason = ready.reason if ready and ready.status == "False" else ""
        told = f": {ready.message}" if ready and ready.message else "."
        yield Problem(
            reason or "NetworkNotReady",
            f"{kind} {name} of NIC {nic.name} is not ready{told}",
            waits=True,
        )
    elif nic.fixed_address and not _is_usable(nic.fixed_address, cidr):
        yield Problem(
            "AddressOutOfRange",
            f"{nic.fixed_address} of NIC {nic.name} is no host address of {kind} "
            f"{name} ({cidr}). Delete this Server and create it with an address of "
            "that range, or without fixedAddress.",
        )


def _group_problems(server: Server, found: References) -> Iterator[Problem]:
    ref, group = server.spec.server_group_ref, found.group
    if ref is None:
        return
    where = f"ServerGroup {ref.name} of namespace {server.metadata.namespace}"
    if group is None:
        yield Problem(
            "ServerGroupNotFound",
            f"{where} does not exist. Create it, or delete this Server and create it "
            "without serverGroupRef.",
            waits=True,
        )
    elif group.metadata.deletion_timestamp is not None:
        yield Problem(
            "ServerGroupDeleting",
            f"{where} is being deleted. Create it again once it is gone.",
            waits=True,
        )


def _is_usable(address: str, cidr: str) -> bool:
    network, wanted = IPv4Network(cidr, strict=False), IPv4Address(address)
    ends = (network.network_address, network.broadcast_address)
    return wanted in network and wanted not in ends


def _secret_problems(server: Server, found: References) -> Iterator[Problem]:
    for ref in secret_refs(server):
        secret = found.secret(ref)
        if secret.value is not None:
            continue
        yield _secret_problem(ref, secret, server.metadata.namespace)


def _secret_problem(
    ref: SecretKeyRef, secret: SecretValue, namespace: str | None
) -> Problem:
    if not secret.readable:
        return Problem(
            "SecretForbidden",
            f"Kilonova may not read Secret {ref.name} of namespace {namespace}. Ask "
            "an admin to enrol the namespace (chart value secrets.namespaces).",
            waits=True,
        )
    missing = f"has no key {ref.key}" if secret.secret_exists else "does not exist"
    return Problem(
        "SecretNotFound",
        f"Secret {ref.name} {missing} in namespace {namespace}. Create it.",
        waits=True,
    )


def _key_problems(server: Server, found: References) -> Iterator[Problem]:
    for key in server.spec.ssh_keys:
        text = _key_text(key.public_key, key.secret_ref, found)
        if text is None:
            continue
        if len(text) > _MAX_PUBLIC_KEY_CHARS or not _PUBLIC_KEY.fullmatch(text):
            yield Problem(
                "InvalidPublicKey",
                f"SSH key {key.name} is not one public key in OpenSSH's one-line "
                "form (ssh-ed25519 AAAA... comment). Give the content of the .pub "
                "file.",
            )


def _key_text(
    inline: str | None, ref: SecretKeyRef | None, found: References
) -> str | None:
    if inline is not None:
        return inline.strip()
    value = found.secret(ref).value if ref else None
    return value.decode(errors="replace").strip() if value is not None else None


def _user_data_problems(server: Server, found: References) -> Iterator[Problem]:
    data = resolve_user_data(server, found)
    if data is not None and len(data) > MAX_USER_DATA_BYTES:
        yield Problem(
            "UserDataTooLarge",
            f"The user data has {len(data)} bytes, {MAX_USER_DATA_BYTES} are the "
            "most. Let it fetch the rest, or compress it with gzip.",
        )
