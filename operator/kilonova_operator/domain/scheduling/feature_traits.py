"""Traits that a guest's features need of a host, so that it can be built there.

Source: nova.scheduler.request_filter and nova.scheduler.utils.ResourceRequest,
Nova 34, as far as no device is asked for.
"""

from collections.abc import Iterator

from kilonova_operator.domain.scheduling.flavor_words import MalformedRequest, Words

MEM_ENCRYPTION_CONTEXT = "MEM_ENCRYPTION_CONTEXT"

_SOUND_MODELS = ("sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "virtio")
_DISK_ENCRYPTIONS = ("plain", "luks", "luksv2")
_TPM_VERSIONS = {
    "1.2": "COMPUTE_SECURITY_TPM_1_2",
    "2.0": "COMPUTE_SECURITY_TPM_2_0",
}
_TPM_MODELS = {
    "tpm-tis": "COMPUTE_SECURITY_TPM_TIS",
    "tpm-crb": "COMPUTE_SECURITY_TPM_CRB",
}
_TPM_SECRET_KEY = "hw:tpm_secret_security"  # noqa: S105  the name of a key
_TPM_SECRETS = ("user", "host", "deployment")
_ADDRESS_MODES = {
    "passthrough": "COMPUTE_ADDRESS_SPACE_PASSTHROUGH",
    "emulate": "COMPUTE_ADDRESS_SPACE_EMULATED",
}
_PCI_POLICIES = ("required", "legacy", "preferred", "socket")
_MEMORY_MODELS = {
    "amd-sev": "HW_CPU_X86_AMD_SEV",
    "amd-sev-es": "HW_CPU_X86_AMD_SEV_ES",
    "amd-sev-snp": "HW_CPU_X86_AMD_SEV_SNP",
    "intel-tdx": "HW_CPU_X86_INTEL_TDX",
}
_NEED_STATELESS_FIRMWARE = frozenset({"amd-sev-snp", "intel-tdx"})


def find_feature_traits(words: Words) -> frozenset[str]:
    """Return the traits that a host must have for all features asked for.

    Raises:
        MalformedRequest: a word is unknown, or two contradict each other.
    """
    return frozenset(_features(words))


def _features(words: Words) -> Iterator[str]:
    if words.is_true("virtio_packed_ring"):
        yield "COMPUTE_NET_VIRTIO_PACKED"
    if words.is_true("ephemeral_encryption"):
        yield "COMPUTE_EPHEMERAL_ENCRYPTION"
        form = words.find("ephemeral_encryption_format", _DISK_ENCRYPTIONS)
        if form:
            yield f"COMPUTE_EPHEMERAL_ENCRYPTION_{form.upper()}"
    if words.find("sound_model", _SOUND_MODELS) == "virtio":
        yield "COMPUTE_SOUND_MODEL_VIRTIO"
    boot = words.find("secure_boot", ("required", "disabled", "optional"), prefix="os")
    if boot == "required":
        yield "COMPUTE_SECURITY_UEFI_SECURE_BOOT"
    mode = words.find("maxphysaddr_mode", _ADDRESS_MODES)
    if mode:
        yield _ADDRESS_MODES[mode]
    if words.find("pci_numa_affinity_policy", _PCI_POLICIES) == "socket":
        yield "COMPUTE_SOCKET_PCI_NUMA_AFFINITY"
    if has_stateless_firmware(words):
        yield "COMPUTE_SECURITY_STATELESS_FIRMWARE"
    yield from _tpm(words)
    model = find_memory_encryption(words)
    if model:
        yield _MEMORY_MODELS[model]


def _tpm(words: Words) -> Iterator[str]:
    version = words.find("tpm_version", _TPM_VERSIONS)
    if version is None:
        return
    model = words.find("tpm_model", _TPM_MODELS) or "tpm-tis"
    if model == "tpm-crb" and version != "2.0":
        raise MalformedRequest("hw:tpm_model", "tpm-crb is for hw:tpm_version 2.0 only")
    yield _TPM_VERSIONS[version]
    yield _TPM_MODELS[model]
    security = words.extra_specs.get(_TPM_SECRET_KEY) or "user"
    if security not in _TPM_SECRETS:
        known = ", ".join(_TPM_SECRETS)
        raise MalformedRequest(_TPM_SECRET_KEY, f"{security!r} is none of {known}")
    yield f"COMPUTE_SECURITY_TPM_SECRET_SECURITY_{security.upper()}"


def has_stateless_firmware(words: Words) -> bool:
    """Tell whether the image asks for it; without UEFI it means nothing."""
    uefi = words.properties.get("hw_firmware_type") == "uefi"
    return uefi and Words(properties=words.properties).is_true("firmware_stateless")


def find_memory_encryption(words: Words) -> str | None:
    """Return the model of memory encryption that is asked for.

    Raises:
        MalformedRequest: the image cannot be run so.
    """
    if not words.is_true("mem_encryption"):
        return None
    model = words.find("mem_encryption_model", _MEMORY_MODELS) or "amd-sev"
    properties = words.properties
    if properties.get("hw_firmware_type") != "uefi":
        raise MalformedRequest("hw_firmware_type", "memory encryption needs uefi")
    if "q35" not in properties.get("hw_machine_type", "q35"):
        raise MalformedRequest("hw_machine_type", "memory encryption needs q35")
    if model in _NEED_STATELESS_FIRMWARE and not has_stateless_firmware(words):
        raise MalformedRequest("hw_firmware_stateless", f"{model} needs it to be true")
    if model == "intel-tdx" and properties.get("hw_video_model") != "none":
        raise MalformedRequest("hw_video_model", f"{model} needs none")
    return model
