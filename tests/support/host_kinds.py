"""Hosts of different make: two hypervisors, another architecture, one silent."""

from dataclasses import replace

from kilonova_operator.domain.scheduling.profile import CapabilityProfile
from support.scheduling import X86, made_columns, made_facts, made_view

KVM = replace(X86, virt_type="kvm", hypervisor_version=8_001_005, maxphysaddr_bits=46)
ARM = replace(X86, arch="aarch64", cpu_features=(), virt_type="qemu")
HOSTS = made_columns(
    (made_facts("qemu"), made_view("qemu", memory_mb=4096)),
    (
        made_facts("kvm", profile=KVM, address="10.0.0.7"),
        made_view("kvm", memory_mb=65536, claims=7),
    ),
    (made_facts("arm", profile=ARM), made_view("arm", used=(0, 20000, 0))),
    (made_facts("blank", profile=CapabilityProfile()), made_view("blank")),
)
EVERYONE = ["qemu", "kvm", "arm", "blank"]
HOSTS.set_number("kvm", "io_ops", 3)
