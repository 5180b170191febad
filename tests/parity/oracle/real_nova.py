"""Nova, made ready to be called without a configuration, a database or RPC."""

import logging
import os
import warnings
from typing import Any

os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)  # a debug line a rule is most of the time otherwise

from nova import conf, objects  # noqa: E402 (the settings above must come first)

objects.register_all()
conf.CONF([], project="nova", default_config_files=[])


def build_flavor(flavor: dict[str, Any]) -> objects.Flavor:
    """Build a flavor: ``vcpus``, ``memory_mb``, ``extra_specs``."""
    return objects.Flavor(
        id=1,
        flavorid="1",
        name="drawn",
        vcpus=flavor["vcpus"],
        memory_mb=flavor["memory_mb"],
        root_gb=flavor.get("root_gb", 0),
        ephemeral_gb=flavor.get("ephemeral_gb", 0),
        swap=flavor.get("swap", 0),
        extra_specs=dict(flavor.get("extra_specs", {})),
    )


def build_image(properties: dict[str, Any]) -> objects.ImageMeta:
    """Build an image with properties; raises for words that are none of Nova's."""
    return objects.ImageMeta.from_dict(
        {"name": "drawn", "properties": dict(properties)}
    )
