"""The user data of a guest, from the Secret its Instance names."""

import base64
import binascii
import hashlib

from kilonova_agent.domain.faults import SecretNotFound
from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import SECRET

USER_DATA_KEY = "userData"


async def get_user_data(kube: KubeApi, wanted: Instance) -> bytes | None:
    """Read the user data; None when the order has none.

    Raises:
        SecretNotFound: the Secret is missing, or holds other data than meant.
    """
    secret = wanted.spec.user_data
    if secret is None:
        return None
    found = await kube.find(SECRET, wanted.metadata.namespace, secret.name)
    text = ((found or {}).get("data") or {}).get(USER_DATA_KEY)
    if text is None:
        raise SecretNotFound(
            f"Secret {secret.name} with the user data is not there yet. It is written "
            "by Kilonova's operator: see that it runs."
        )
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise SecretNotFound(f"Secret {secret.name} cannot be read") from error
    if hashlib.sha256(data).hexdigest() != secret.sha256:
        raise SecretNotFound(
            f"Secret {secret.name} holds other user data than this order means"
        )
    return data
