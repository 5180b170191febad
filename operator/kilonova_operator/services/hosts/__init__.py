"""Nodes become ComputeHosts: account, identity, heartbeat, inventory, cell."""
