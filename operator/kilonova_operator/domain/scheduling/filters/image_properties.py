"""ImagePropertiesFilter: what the image says of the machine it needs."""

from dataclasses import dataclass

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone, NoExtraSpecs
from kilonova_operator.domain.scheduling.profile import CapabilityProfile
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows
from kilonova_operator.domain.scheduling.version_predicate import version_satisfies

IMAGE_PROPERTIES = frozenset(
    {
        "hw_architecture",
        "hw_vm_mode",
        "img_hv_requested_version",
        "img_hv_type",
    }
)
"""Image properties that this filter gives their meaning."""

_ADDRESS_BITS = "hw_maxphysaddr_bits"
"""Hosts are judged by it as well, but no agent builds it."""

_ARCHITECTURES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "i386": "i686",
    "i486": "i686",
    "i586": "i686",
    "x86_32": "i686",
    "x86_32p": "i686",
}
_VM_MODES = {"pv": "xen", "hv": "hvm", "baremetal": "hvm"}
_HYPERVISORS = {"powervm": "phyp", "xapi": "xen"}


@dataclass(frozen=True, slots=True)
class ImagePropertiesFilter(FactsAlone, NoExtraSpecs):
    """Pass hosts that can run such a guest.

    ``default_architecture``: of images that name none; empty: any.
    Source: nova.scheduler.filters.image_props_filter, Nova 34.
    """

    default_architecture: str = ""
    name = "ImagePropertiesFilter"
    runs_on_rebuild = True

    def applies(self, asked: RequestClass) -> bool:
        """Look only where the image asks for a kind of guest.

        A version or a width of addresses alone is no reason to: so it is in Nova.
        """
        return bool(self._wanted(asked))

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts with one kind of guest that has all wanted properties."""
        wanted = self._wanted(asked)
        version = asked.find_image_property("img_hv_requested_version") or ""
        word = asked.find_image_property(_ADDRESS_BITS) or ""
        bits = int(word) if word.isdecimal() else 0
        return hosts.by_profile(
            lambda profile: not wanted or _supports(profile, wanted, version, bits)
        )

    def explain(self, request: BuildRequest) -> str:
        """List the properties."""
        asked = [
            f"{key}={value}"
            for key, value in request.asked.image_properties
            if key in IMAGE_PROPERTIES or key == _ADDRESS_BITS
        ]
        return f"The image asks for {', '.join(asked)}."

    def _wanted(self, asked: RequestClass) -> tuple[str, ...]:
        properties = {key: value.lower() for key, value in asked.image_properties}
        arch = properties.get("hw_architecture") or self.default_architecture
        hypervisor = properties.get("img_hv_type", "")
        mode = properties.get("hw_vm_mode", "")
        wanted = (
            _ARCHITECTURES.get(arch, arch),
            _HYPERVISORS.get(hypervisor, hypervisor),
            _VM_MODES.get(mode, mode),
        )
        return tuple(value for value in wanted if value)


def _supports(
    profile: CapabilityProfile, wanted: tuple[str, ...], version: str, bits: int
) -> bool:
    if not any(
        all(value in guest for value in wanted) for guest in profile.supported_instances
    ):
        return False
    if profile.maxphysaddr_bits and profile.maxphysaddr_bits < bits:
        return False
    known = profile.hypervisor_version
    return not known or not version or version_satisfies(known, version)
