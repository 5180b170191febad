"""What a flavor and an image ask of Placement, by the rules of Nova 34."""

import pytest

from kilonova_api.flavor import FlavorSize
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.scheduling.build_class import (
    ImageAsked,
    Wishes,
    build_request_class,
)
from kilonova_operator.domain.scheduling.flavor_words import MalformedRequest
from kilonova_operator.domain.scheduling.json_query import MalformedQuery
from kilonova_operator.domain.scheduling.numa.request import NumaRequestInvalid
from kilonova_operator.domain.scheduling.options import (
    PrefilterOptions,
    SchedulingOptions,
)
from kilonova_operator.domain.scheduling.resource_request import (
    HYPERTHREADING,
    ResourceRequest,
    build_resource_request,
)

SIZE = FlavorSize(vcpus=4, ram_mib=1024, root_gib=10, ephemeral_gib=5, swap_mib=1025)
PLAIN = {"VCPU": 4, "MEMORY_MB": 1024, "DISK_GB": 17}
DEDICATED = {"hw:cpu_policy": "dedicated"}


def asked(
    extra_specs: dict[str, str], properties: dict[str, str] | None = None
) -> ResourceRequest:
    return build_resource_request(SIZE, extra_specs, properties or {})


@pytest.mark.parametrize(
    ("extra_specs", "changes"),
    [
        pytest.param({}, {}, id="sizes alone"),
        pytest.param({"resources:VCPU": "2"}, {"VCPU": 2}, id="instead of the size"),
        pytest.param({"resources:MEMORY_MB": "0"}, {"MEMORY_MB": 0}, id="0 takes out"),
        pytest.param({"resources:VCPU": "0"}, {"VCPU": 0}, id="no CPU asked for"),
        pytest.param(
            {"resources:CUSTOM_GPU": "2"}, {"CUSTOM_GPU": 2}, id="a class more"
        ),
        pytest.param({"resources:PCPU": "4"}, {"VCPU": 0, "PCPU": 4}, id="PCPU itself"),
        pytest.param(DEDICATED, {"VCPU": 0, "PCPU": 4}, id="pinned"),
        pytest.param(
            {**DEDICATED, "hw:emulator_threads_policy": "isolate"},
            {"VCPU": 0, "PCPU": 5},
            id="and one for the emulator",
        ),
        pytest.param(
            {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0"},
            {"VCPU": 1, "PCPU": 3},
            id="mixed",
        ),
    ],
)
def test_amounts_follow_sizes_policies_and_keys(
    extra_specs: dict[str, str], changes: dict[str, int]
) -> None:
    expected = {name: n for name, n in (PLAIN | changes).items() if n}
    assert dict(asked(extra_specs).amounts) == expected


def test_an_image_may_pin_what_the_flavor_leaves_open() -> None:
    amounts = dict(asked({}, {"hw_cpu_policy": "dedicated"}).amounts)
    assert amounts["PCPU"] == 4


@pytest.mark.parametrize(
    ("extra_specs", "properties", "required", "forbidden"),
    [
        pytest.param(
            {"trait:CUSTOM_GOLD": "required", "trait:CUSTOM_SSD": "forbidden"},
            {"trait:HW_CPU_X86_AVX2": "required"},
            {"CUSTOM_GOLD", "HW_CPU_X86_AVX2"},
            {"CUSTOM_SSD"},
            id="named",
        ),
        pytest.param(
            {**DEDICATED, "hw:cpu_thread_policy": "require"},
            {},
            {HYPERTHREADING},
            set(),
            id="threads needed",
        ),
        pytest.param(
            {**DEDICATED, "hw:cpu_thread_policy": "isolate"},
            {},
            set(),
            {HYPERTHREADING},
            id="threads in the way",
        ),
        pytest.param(
            {"hw:virtio_packed_ring": "on", "os:secure_boot": "required"},
            {"hw_sound_model": "virtio"},
            {
                "COMPUTE_NET_VIRTIO_PACKED",
                "COMPUTE_SECURITY_UEFI_SECURE_BOOT",
                "COMPUTE_SOUND_MODEL_VIRTIO",
            },
            set(),
            id="features",
        ),
        pytest.param(
            {"hw:tpm_version": "2.0", "hw:tpm_secret_security": "host"},
            {"hw_tpm_model": "tpm-crb"},
            {
                "COMPUTE_SECURITY_TPM_2_0",
                "COMPUTE_SECURITY_TPM_CRB",
                "COMPUTE_SECURITY_TPM_SECRET_SECURITY_HOST",
            },
            set(),
            id="TPM",
        ),
        pytest.param(
            {"hw:mem_encryption": "true"},
            {"hw_firmware_type": "uefi"},
            {"HW_CPU_X86_AMD_SEV"},
            set(),
            id="memory encryption",
        ),
    ],
)
def test_traits_follow_policies_features_and_keys(
    extra_specs: dict[str, str],
    properties: dict[str, str],
    required: set[str],
    forbidden: set[str],
) -> None:
    request = asked(extra_specs, properties)
    assert request.required_traits == required
    assert request.forbidden_traits == forbidden


@pytest.mark.parametrize(
    ("extra_specs", "properties", "key"),
    [
        ({"resources:NO_CLASS": "1"}, {}, "resources:NO_CLASS"),
        ({"resources:custom_gpu": "1"}, {}, "resources:custom_gpu"),
        ({"resources:CUSTOM_GPU": "-1"}, {}, "resources:CUSTOM_GPU"),
        ({"resources:CUSTOM_GPU": "1.5"}, {}, "resources:CUSTOM_GPU"),
        ({"resources:CUSTOM_GPU": str(2**31)}, {}, "resources:CUSTOM_GPU"),
        ({"resources1:CUSTOM_GPU": "1"}, {}, "resources1:CUSTOM_GPU"),
        ({"trait:CUSTOM_GOLD": "wanted"}, {}, "trait:CUSTOM_GOLD"),
        ({"trait:gold": "required"}, {}, "trait:gold"),
        ({"trait_a:CUSTOM_GOLD": "required"}, {}, "trait_a:CUSTOM_GOLD"),
        ({}, {"trait:CUSTOM_GOLD": "forbidden"}, "trait:CUSTOM_GOLD"),
        ({"hw:sound_model": "harp"}, {}, "hw:sound_model"),
        ({"hw:tpm_version": "3"}, {}, "hw:tpm_version"),
        (
            {"hw:tpm_version": "1.2", "hw:tpm_model": "tpm-crb"},
            {},
            "hw:tpm_model",
        ),
        (
            {"hw:tpm_version": "2.0", "hw:tpm_secret_security": "none"},
            {},
            "hw:tpm_secret_security",
        ),
        (
            {"os:secure_boot": "required"},
            {"os_secure_boot": "disabled"},
            "os:secure_boot",
        ),
        (
            {"hw:virtio_packed_ring": "yes"},
            {"hw_virtio_packed_ring": "no"},
            "hw:virtio_packed_ring",
        ),
        ({"hw:mem_encryption": "yes"}, {}, "hw_firmware_type"),
    ],
)
def test_what_cannot_be_read_names_its_key(
    extra_specs: dict[str, str], properties: dict[str, str], key: str
) -> None:
    with pytest.raises(MalformedRequest) as refused:
        asked(extra_specs, properties)
    assert refused.value.key == key
    assert str(refused.value).startswith(f"{key}: ")


OPTIONS = SchedulingOptions()
TENANT = Wishes(tenant="shop", query='["=", 1, 1]', near="10.0.0.9")
IMAGE = ImageAsked("uid-1", "qcow2", {"os_distro": "debian"})


def test_a_class_leaves_out_what_no_rule_reads() -> None:
    request = build_request_class(
        "small", SIZE, image=IMAGE, wishes=TENANT, options=OPTIONS
    )
    assert (request.tenant, request.image, request.image_format) == ("", "", "")
    assert request.query == ""
    assert request.nearby == "10.0.0.0/24"
    everything = SchedulingOptions(
        enabled_filters=(
            "IsolatedHostsFilter",
            "AggregateMultiTenancyIsolation",
            "JsonFilter",
        ),
        prefilters=PrefilterOptions(query_placement_for_image_type_support=True),
    )
    full = build_request_class(
        "small", SIZE, image=IMAGE, wishes=TENANT, options=everything
    )
    assert (full.tenant, full.image, full.image_format) == ("shop", "uid-1", "qcow2")
    assert full.query == TENANT.query


@pytest.mark.parametrize(
    ("extra_specs", "wishes", "error"),
    [
        ({"hw:cpu_policy": "isolated"}, Wishes(), NumaRequestInvalid),
        ({"capabilities:free_ram_mb": "=> 8"}, Wishes(), MalformedRequest),
        ({"cores": ">= many"}, Wishes(), MalformedRequest),
        ({}, Wishes(query="~"), MalformedQuery),
    ],
)
def test_bad_input_is_told_before_any_host_is_looked_at(
    extra_specs: dict[str, str], wishes: Wishes, error: type[KilonovaError]
) -> None:
    size = SIZE.model_copy(update={"extra_specs": extra_specs})
    with pytest.raises(error):
        build_request_class("x", size, image=IMAGE, wishes=wishes, options=OPTIONS)
