"""The Kubernetes layer that the operator and the node agent share.

A thin asynchronous client on aiohttp and orjson, an informer, Leases and a
work queue. Nothing in here knows a kind of ours. Import from the modules;
``config`` pulls in the official client package, so only programs import it.
"""
