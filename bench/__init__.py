"""Measurements on the lab. Each prints progress on stderr and one JSON line last."""
