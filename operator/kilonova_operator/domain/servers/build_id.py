"""The build id of a placement: a disk is built once for each."""

from uuid import UUID, uuid5

# A random uuid: it only keeps these ids apart from other name-based uuids.
_NAMESPACE = UUID("6f0c2c1f-6d2b-4f57-9a39-1d0a7a3c0e55")


def build_build_id(instance_uuid: str, placement_generation: int) -> str:
    """Return the same id for the same placement, whoever asks and however often.

    A random id would be lost when the process dies between drawing and booking
    it; the next one would draw another, and the host would build a second disk.
    """
    return str(uuid5(_NAMESPACE, f"{instance_uuid}/{placement_generation}"))
