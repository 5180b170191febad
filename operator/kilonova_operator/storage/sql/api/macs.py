"""MAC addresses of guests."""

from random import Random

_PREFIX = "fa:16:3e"
"""OpenStack's prefix: locally administered, and known to its tools."""
_BITS = 24


def draw_mac(random: Random) -> str:
    """Return a random MAC; the table's key keeps it unique."""
    digits = f"{random.getrandbits(_BITS):06x}"
    return f"{_PREFIX}:{digits[0:2]}:{digits[2:4]}:{digits[4:6]}"
