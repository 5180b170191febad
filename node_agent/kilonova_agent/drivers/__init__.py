"""Hypervisor drivers; ``base`` holds what they promise."""
