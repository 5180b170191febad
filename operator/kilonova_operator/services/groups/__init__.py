"""ServerGroups: who is in them, and where."""
