"""The node agent: makes one host run what its Instances order, through libvirt.

``domain`` decides and has no I/O, ``storage`` keeps files, ``drivers`` speak to
hypervisors, ``services`` tie them together, ``main`` is the process.
"""

from typing import Final

VERSION: Final = "0.1.0"
"""The agent's version, compared with ``Instance.spec.minAgentVersion``."""
