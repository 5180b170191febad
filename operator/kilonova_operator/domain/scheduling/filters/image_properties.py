"""ImagePropertiesFilter: what the image says of the machine it needs."""

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import NoExtraSpecs
from kilonova_operator.domain.scheduling.profile import CapabilityProfile
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows
from kilonova_operator.domain.scheduling.version_predicate import version_satisfies

IMAGE_PROPERTIES = frozenset(
    {"hw_architecture", "img_hv_type", "hw_vm_mode", "img_hv_requested_version"}
)
"""Image properties that this filter gives their meaning."""

_ARCHITECTURES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "i386": "i686",
    "i486": "i686",
    "i586": "i686",
}
_VM_MODES = {"pv": "xen", "hv": "hvm", "baremetal": "hvm"}
_HYPERVISORS = {"xapi": "xen"}


class ImagePropertiesFilter(NoExtraSpecs):
    """Pass hosts that can run such a guest.

    Source: nova.scheduler.filters.image_props_filter, Nova 34.
    """

    name = "ImagePropertiesFilter"
    runs_on_rebuild = True

    def applies(self, asked: RequestClass) -> bool:
        """Look only where the image asks for a kind of guest."""
        return bool(_wanted(asked))

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts with one kind of guest that has all wanted properties."""
        wanted = _wanted(asked)
        version = asked.find_image_property("img_hv_requested_version") or ""
        return hosts.by_profile(lambda profile: _supports(profile, wanted, version))

    def explain(self, request: BuildRequest) -> str:
        """List the properties."""
        asked = [
            f"{key}={value}"
            for key, value in request.asked.image_properties
            if key in IMAGE_PROPERTIES
        ]
        return f"The image asks for {', '.join(asked)}."


def _wanted(asked: RequestClass) -> tuple[str, ...]:
    properties = {k: v.lower() for k, v in asked.image_properties}
    arch = properties.get("hw_architecture", "")
    hypervisor = properties.get("img_hv_type", "")
    mode = properties.get("hw_vm_mode", "")
    wanted = (
        _ARCHITECTURES.get(arch, arch),
        _HYPERVISORS.get(hypervisor, hypervisor),
        _VM_MODES.get(mode, mode),
    )
    return tuple(value for value in wanted if value)


def _supports(
    profile: CapabilityProfile, wanted: tuple[str, ...], version: str
) -> bool:
    # The version alone is no reason to look: so it is in Nova.
    if not wanted:
        return True
    if not any(
        all(value in guest for value in wanted) for guest in profile.supported_instances
    ):
        return False
    known = profile.hypervisor_version
    return not known or not version or version_satisfies(known, version)
