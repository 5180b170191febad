"""Kilonova onto a cluster, and the quickstart: the same for every cluster.

Everything here speaks through kubectl and helm with a kubeconfig, so that the
lab, kind and a cluster of one's own are installed by the same code.
"""
