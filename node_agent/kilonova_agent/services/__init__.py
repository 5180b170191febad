"""What the agent does: gather, decide, act, write."""
