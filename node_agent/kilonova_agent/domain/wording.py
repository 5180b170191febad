"""Whether two messages of programs say the same, at different times."""

import re

_OTHER_EACH_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\b(?:pid|process|thread|fd|fdset)[ =:/]*\d+"
    r"|\bdomain-\d+-"  # libvirt counts starts
    r"|\b(?:vnet|tap|macvtap)\d+"
    r"|\b0x[0-9a-f]+"
    # Of one death of a QEMU: by which of its two ways libvirt noticed it first.
    r"|process exited while connecting to monitor"
    r"|qemu unexpectedly closed the monitor",
    re.IGNORECASE,
)
_CUT = "..."
_LONGEST = 64


def say_the_same(one: str, other: str) -> bool:
    """Compare but for times, process ids, and what else differs at each attempt."""
    if one == other:
        return True
    plain_one = _OTHER_EACH_TIME.sub("#", one)
    plain_other = _OTHER_EACH_TIME.sub("#", other)
    if one.endswith(_CUT) and other.endswith(_CUT):
        # They were cut at the same length, thus not at the same word.
        end = min(len(plain_one), len(plain_other)) - _LONGEST
        return plain_one[:end] == plain_other[:end]
    return plain_one == plain_other
