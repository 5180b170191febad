"""The API database: cells, hosts, claims, addresses, mappings, tombstones."""
