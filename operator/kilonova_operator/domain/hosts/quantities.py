"""Kubernetes quantities ("1500m", "8Gi") as exact numbers.

The official client has a parser too, but importing it loads that client's
models: 30 MB in a process that is to stay below 160.
"""

import re
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


def parse_quantity(text: str | float) -> Decimal:
    """Return the number that a quantity means.

    Raises:
        ValueError: it is no quantity.
    """
    plain = str(text)
    for length in (2, 1, 0):
        suffix = plain[len(plain) - length :]
        if suffix in _SUFFIXES:
            number = plain[: len(plain) - length]
            if _NUMBER.fullmatch(number):
                return Decimal(number) * _SUFFIXES[suffix]
    raise ValueError(f"{plain!r} is no Kubernetes quantity")
