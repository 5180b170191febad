"""What of a host hardly ever changes and many hosts share."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CapabilityProfile:
    """CPU and hypervisor of a host.

    Rules on these judge one profile and all hosts that have it together, so
    ten thousand equal hosts cost as much as one.
    """

    arch: str = ""
    cpu_model: str = ""
    cpu_vendor: str = ""
    cpu_features: tuple[str, ...] = ()
    hypervisor_type: str = ""
    hypervisor_version: int = 0
    virt_type: str = ""
    maxphysaddr_bits: int = 0
    """Width of the guest's physical addresses; 0 where the host does not say."""

    @property
    def cpu_info(self) -> dict[str, Any]:
        """The processor in the form of Nova's HostState.cpu_info."""
        bits = self.maxphysaddr_bits
        return {
            **({"maxphysaddr": {"bits": bits}} if bits else {}),
            "arch": self.arch,
            "model": self.cpu_model,
            "vendor": self.cpu_vendor,
            "features": list(self.cpu_features),
        }

    @property
    def supported_instances(self) -> tuple[tuple[str, str, str], ...]:
        """Guests the host can run: architecture, hypervisor type, machine mode.

        A 64-bit x86 host runs 32-bit guests as well, as libvirt reports it.
        """
        if not self.arch or not self.virt_type:
            return ()
        arches = (self.arch, "i686") if self.arch == "x86_64" else (self.arch,)
        return tuple((arch, self.virt_type, "hvm") for arch in arches)
