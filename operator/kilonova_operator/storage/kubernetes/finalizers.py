"""Putting a finalizer of ours on an object that a user owns."""

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key, KubeObject, Resource


async def ensure_finalizer(
    kube: KubeApi, resource: Resource, obj: KubeObject, finalizer: str
) -> KubeObject:
    """Put the finalizer on that very object; return it as it is then.

    Raises:
        Invalid: the object changed meanwhile; read it again.
        NotFound: it is gone.
    """
    metadata = obj["metadata"]
    if finalizer in metadata.get("finalizers", ()):
        return obj
    key = Key.of_object(obj)
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]},
        {
            "op": "test",
            "path": "/metadata/resourceVersion",
            "value": metadata["resourceVersion"],
        },
        # The list as a whole: there may be none yet, and the version is tested.
        {
            "op": "add",
            "path": "/metadata/finalizers",
            "value": [*metadata.get("finalizers", ()), finalizer],
        },
    ]
    return await kube.json_patch(resource, key.namespace or None, key.name, patch)
