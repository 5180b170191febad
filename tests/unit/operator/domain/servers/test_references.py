from typing import Any

import pytest

from kilonova_api.image import ClusterImage
from kilonova_operator.domain.servers.references import (
    MAX_USER_DATA_BYTES,
    References,
    SecretValue,
    find_problem,
    resolve_ssh_keys,
    resolve_user_data,
)
from support.servers import (
    make_flavor,
    make_group,
    make_image,
    make_network,
    make_server,
)

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI ann@laptop"


def found(**changes: Any) -> References:
    good: dict[str, Any] = {
        "flavor": make_flavor(),
        "image": make_image(),
        "networks": {"eth0": make_network()},
    }
    return References(**good | changes)


def nic(**fields: Any) -> list[dict[str, Any]]:
    return [{"name": "eth0", "networkRef": {"name": "private"}} | fields]


def secret(value: bytes | None, *, exists: bool = True, readable: bool = True) -> Any:
    return {("s", "k"): SecretValue(exists, value, readable)}


REF = {"name": "s", "key": "k"}


def test_a_server_whose_references_are_all_there_has_no_problem() -> None:
    assert find_problem(make_server(), found()) is None


def test_a_server_whose_group_is_there_has_no_problem() -> None:
    server = make_server(serverGroupRef={"name": "db"})
    assert find_problem(server, found(group=make_group())) is None


@pytest.mark.parametrize(
    ("spec", "changes", "reason", "waits"),
    [
        ({}, {"flavor": None}, "FlavorNotFound", True),
        ({}, {"image": None}, "ImageNotFound", True),
        ({}, {"networks": {"eth0": None}}, "NetworkNotFound", True),
        (
            {},
            {"networks": {"eth0": make_network(ready=False)}},
            "NetworkNotReady",
            True,
        ),
        (
            {"serverGroupRef": {"name": "db"}},
            {"group": None},
            "ServerGroupNotFound",
            True,
        ),
        (
            {"serverGroupRef": {"name": "db"}},
            {"group": make_group(deleting=True)},
            "ServerGroupDeleting",
            True,
        ),
        ({"userDataRef": REF}, {}, "SecretNotFound", True),
        ({"userDataRef": REF}, {"secrets": secret(None)}, "SecretNotFound", True),
        (
            {"userDataRef": REF},
            {"secrets": secret(None, exists=False, readable=False)},
            "SecretForbidden",
            True,
        ),
        (
            {"userDataRef": REF},
            {"secrets": secret(b"x" * (MAX_USER_DATA_BYTES + 1))},
            "UserDataTooLarge",
            False,
        ),
        ({"userData": "ä" * 30000}, {}, "UserDataTooLarge", False),
        ({}, {"image": make_image(minDiskGiB=2)}, "FlavorDiskTooSmall", False),
        ({}, {"image": make_image(minRamMiB=65)}, "FlavorMemoryTooSmall", False),
        ({"networks": nic(fixedAddress="10.21.0.5")}, {}, "AddressOutOfRange", False),
        ({"networks": nic(fixedAddress="10.20.0.255")}, {}, "AddressOutOfRange", False),
        (
            {"sshKeys": [{"name": "ann", "publicKey": "not a key"}]},
            {},
            "InvalidPublicKey",
            False,
        ),
        (
            {"sshKeys": [{"name": "ann", "publicKey": f"{KEY}\n{KEY}"}]},
            {},
            "InvalidPublicKey",
            False,
        ),
    ],
)
def test_each_bad_reference_has_its_reason(
    spec: dict[str, Any], changes: dict[str, Any], reason: str, *, waits: bool
) -> None:
    problem = find_problem(make_server(**spec), found(**changes))
    assert problem is not None
    assert (problem.reason, problem.waits) == (reason, waits)


def test_a_plain_mistake_is_told_before_what_may_still_come() -> None:
    server = make_server(networks=nic(fixedAddress="10.21.0.5"))
    problem = find_problem(server, found(flavor=None))
    assert problem is not None
    assert problem.reason == "AddressOutOfRange"


def test_a_root_disk_of_the_images_own_size_is_never_too_small() -> None:
    manifest = make_image(minDiskGiB=40).model_dump(by_alias=True)
    image = ClusterImage.model_validate(manifest | {"kind": "ClusterImage"})
    refs = found(flavor=make_flavor(rootGiB=0), image=image)
    assert find_problem(make_server(), refs) is None


def test_a_tenants_image_says_not_how_large_an_uncounted_disk_is() -> None:
    refs = found(flavor=make_flavor(rootGiB=0))
    problem = find_problem(make_server(), refs)
    assert problem is not None
    assert (problem.reason, problem.waits) == ("ZeroDiskFlavor", False)
    assert "ClusterImage" in problem.message


def test_the_largest_user_data_is_taken() -> None:
    data = b"x" * MAX_USER_DATA_BYTES
    server, refs = make_server(userDataRef=REF), found(secrets=secret(data))
    assert find_problem(server, refs) is None
    assert resolve_user_data(server, refs) == data


def test_keys_come_from_the_spec_and_from_secrets() -> None:
    keys = [
        {"name": "ann", "publicKey": f"{KEY}\n"},
        {"name": "bob", "secretRef": REF},
    ]
    server = make_server(sshKeys=keys)
    refs = found(secrets=secret(f"{KEY}\n".encode()))
    assert find_problem(server, refs) is None
    resolved = resolve_ssh_keys(server, refs)
    assert [(key.name, key.public_key) for key in resolved] == [
        ("ann", KEY),
        ("bob", KEY),
    ]


def test_secrets_stay_out_of_every_repr() -> None:
    assert "hush" not in repr(found(secrets=secret(b"hush")))
