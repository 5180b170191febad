"""NUMA: where a guest's cells, CPUs and pages go on a host.

Pure code. ``constraints`` makes a ``GuestTopology`` of a flavor and an image,
``host_topology`` a ``HostTopology`` of an agent's report. ``fit`` finds a guest's
place on a ``NumaState`` (a host's cells and what is used of them); ``usage`` adds
that place to the state or takes it away. ``judgement`` is Nova's NUMATopologyFilter
for one host.

It equals nova.virt.hardware, Nova 34, without PCI devices, network affinity,
persistent memory and memory encryption. ``deviations`` names where it differs, and
why.
"""
