"""Reads and writes of Kubernetes objects for the services."""
