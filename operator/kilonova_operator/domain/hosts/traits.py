"""What a host can do, in the names of os-traits.

What its agent reports and what an admin adds stands beside what follows from the
report: the processor's features, and what this driver gives to every guest.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from kilonova_api.compute_host import ComputeHost
from kilonova_api.extra_specs.standard_traits import STANDARD_TRAITS
from kilonova_api.host_report import AgentReport

DISABLED_TRAIT = "COMPUTE_STATUS_DISABLED"
_CUSTOM = "CUSTOM_"

DRIVER_TRAITS = frozenset(
    {
        "COMPUTE_GRAPHICS_MODEL_VGA",
        "COMPUTE_IMAGE_TYPE_QCOW2",
        "COMPUTE_IMAGE_TYPE_RAW",
        "COMPUTE_NET_VIF_MODEL_VIRTIO",
        "COMPUTE_NODE",
        "COMPUTE_STORAGE_BUS_IDE",
        "COMPUTE_STORAGE_BUS_VIRTIO",
        "OWNER_NOVA",
    }
)
"""What the agent's domains are made of, whatever the host."""

_X86 = "HW_CPU_X86_"
_SAME_NAME = frozenset(
    {
        "3dnow",
        "abm",
        "avx",
        "avx2",
        "avx512bitalg",
        "avx512bw",
        "avx512cd",
        "avx512dq",
        "avx512er",
        "avx512f",
        "avx512ifma",
        "avx512pf",
        "avx512vbmi",
        "avx512vbmi2",
        "avx512vl",
        "avx512vnni",
        "bmi2",
        "f16c",
        "fma4",
        "mmx",
        "mpx",
        "sse",
        "sse2",
        "sse3",
        "sse4a",
        "ssse3",
        "tbm",
        "xop",
    }
)
"""Features whose trait is their own name in capitals."""
_OTHER_NAMES = {
    "aes": ("AESNI",),
    "amx-bf16": ("AMXBF16",),
    "amx-int8": ("AMXINT8",),
    "amx-tile": ("AMXTILE",),
    "avx512-vpopcntdq": ("AVX512VPOPCNTDQ",),
    "bmi1": ("BMI",),
    "fma": ("FMA3",),
    "gfni": ("AVX512GFNI",),
    "pclmuldq": ("CLMUL",),
    "sha-ni": ("SHA",),
    "sse4.1": ("SSE41",),
    "sse4.2": ("SSE42",),
    # The general name is older than the one of the vendor.
    "svm": ("SVM", "AMD_SVM"),
    "vaes": ("AVX512VAES",),
    "vmx": ("VMX", "INTEL_VMX"),
    "vpclmulqdq": ("AVX512VPCLMULQDQ",),
}
_MANY_THREADS = "HW_CPU_HYPERTHREADING"


def build_host_traits(host: ComputeHost) -> frozenset[str]:
    """Return every trait of a host; an agent's and an admin's word both count.

    Source: nova.virt.libvirt.driver.LibvirtDriver.static_traits, Nova 34.
    """
    own = frozenset(host.spec.traits) - set(list_unknown_traits(host))
    traits = DRIVER_TRAITS | own
    if host.spec.disabled:
        traits |= {DISABLED_TRAIT}
    report = host.status.agent
    return traits if report is None else traits | _build_reported(report)


def list_unknown_traits(host: ComputeHost) -> tuple[str, ...]:
    """List traits of a host's spec that are neither a site's own nor standard."""
    return tuple(
        trait
        for trait in host.spec.traits
        if trait not in STANDARD_TRAITS and not trait.startswith(_CUSTOM)
    )


def find_meant_trait(trait: str) -> str | None:
    """Return the standard trait that may have been meant."""
    return next(iter(get_close_matches(trait, STANDARD_TRAITS, n=1)), None)


def build_cpu_traits(features: Iterable[str]) -> frozenset[str]:
    """Return the traits of a processor's features, which have libvirt's names.

    Source: nova.virt.libvirt.utils.cpu_features_to_traits, Nova 34.
    """
    return frozenset(
        _X86 + name for feature in features for name in _list_names(feature)
    )


def _list_names(feature: str) -> tuple[str, ...]:
    if feature in _SAME_NAME:
        return (feature.upper(),)
    return _OTHER_NAMES.get(feature, ())


def _build_reported(report: AgentReport) -> frozenset[str]:
    traits = frozenset(report.traits)
    if any(cell.siblings for cell in report.numa_cells):
        traits |= {_MANY_THREADS}
    if report.cpu is None:
        return traits
    arch = report.cpu.arch.upper()
    arches = {f"HW_ARCH_{arch}", f"COMPUTE_ARCH_{arch}"}
    return traits | arches | build_cpu_traits(report.cpu.features)
