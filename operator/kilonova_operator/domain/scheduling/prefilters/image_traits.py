"""Only hosts that can give a guest what its image says of it."""

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone, NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_PREFIXES = {
    "hw_architecture": "HW_ARCH",
    "hw_cdrom_bus": "COMPUTE_STORAGE_BUS",
    "hw_disk_bus": "COMPUTE_STORAGE_BUS",
    "hw_emulation_architecture": "COMPUTE_ARCH",
    "hw_video_model": "COMPUTE_GRAPHICS_MODEL",
    "hw_vif_model": "COMPUTE_NET_VIF_MODEL",
    "hw_viommu_model": "COMPUTE_VIOMMU",
}


class ImageTraits(FactsAlone, NoExtraSpecs):
    """Leave out hosts without the traits of the image's buses and models.

    A meant deviation: where a value has no trait of its own, Nova requires none of
    them; here no host has it.
    Source: nova.scheduler.request_filter.transform_image_metadata, Nova 34, with
    image_metadata_prefilter on.
    """

    name = "ImageTraits"

    def applies(self, asked: RequestClass) -> bool:
        """Look only where the image names such a quality."""
        return bool(build_image_traits(asked))

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts that have all the traits."""
        wanted = build_image_traits(asked)
        return hosts.by_traits(lambda traits: wanted <= traits)

    def explain(self, request: BuildRequest) -> str:
        """Name the traits."""
        wanted = ", ".join(sorted(build_image_traits(request.asked)))
        return f"For the image's properties the host must have {wanted}."


class ImageTypeSupport(FactsAlone, NoExtraSpecs):
    """Leave out hosts that cannot read the image's format.

    Source: nova.scheduler.request_filter.require_image_type_support, Nova 34, with
    query_placement_for_image_type_support on.
    """

    name = "ImageTypeSupport"

    def applies(self, asked: RequestClass) -> bool:
        """Look only where the format is known."""
        return bool(asked.image_format)

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts with the format's trait."""
        if not asked.image_format:
            return hosts.pass_all()
        wanted = f"COMPUTE_IMAGE_TYPE_{asked.image_format.upper()}"
        return hosts.by_traits(lambda traits: wanted in traits)

    def explain(self, request: BuildRequest) -> str:
        """Name the format."""
        return f"The host must read {request.asked.image_format} images."


def build_image_traits(asked: RequestClass) -> frozenset[str]:
    """Return the traits that the image's properties stand for."""
    return frozenset(
        f"{_PREFIXES[key]}_{value.replace('-', '_').upper()}"
        for key, value in asked.image_properties
        if key in _PREFIXES
    )
