"""Flavors and images: told whether Servers can use them."""
