"""What must hold of the API database whatever happened, read behind the stores."""

from pydantic import SecretStr

from support.store_contract.epoch import Rows, run_sql

_OVERFULL = """
SELECT p.name, i.resource_class, SUM(a.used), i.total, i.reserved
FROM allocations a
JOIN resource_providers p ON p.id = a.provider_id
JOIN inventories i
  ON i.provider_id = a.provider_id AND i.resource_class = a.resource_class
GROUP BY p.name, i.resource_class, i.total, i.reserved, i.allocation_ratio,
  i.unmanaged
HAVING SUM(a.used) + i.unmanaged > (i.total - i.reserved) * i.allocation_ratio
"""
_SHARED_ADDRESS = """
SELECT network_id, address, COUNT(*) FROM ip_allocations
GROUP BY network_id, address HAVING COUNT(*) > 1
"""
_SHARED_MAC = (
    "SELECT mac, COUNT(*) FROM ip_allocations GROUP BY mac HAVING COUNT(*) > 1"
)
_ADDRESS_OF_NOBODY = """
SELECT * FROM ip_allocations WHERE server_uid NOT IN
  (SELECT server_uid FROM instance_mappings)
"""
_CLAIM_OF_NOBODY = """
SELECT * FROM allocations WHERE server_uid NOT IN
  (SELECT server_uid FROM instance_mappings)
"""
_HOST_WITHOUT_CLAIM = """
SELECT m.server_uid, m.host FROM instance_mappings m WHERE m.host IS NOT NULL
AND NOT EXISTS (
  SELECT 1 FROM allocations a JOIN resource_providers p ON p.id = a.provider_id
  WHERE a.server_uid = m.server_uid AND p.name = m.host
  AND a.placement_generation = m.placement_generation
) AND m.queued_for_delete = 0
"""
_QUEUED_WITHOUT_TOMBSTONE = """
SELECT server_uid FROM instance_mappings WHERE queued_for_delete = 1
AND server_uid NOT IN (SELECT server_uid FROM tombstones)
"""
_USAGE_DRIFT = """
SELECT u.namespace_uid, u.instances, u.cores, u.ram_mib FROM namespace_usages u
LEFT JOIN (
  SELECT namespace_uid, COUNT(*) AS instances, SUM(vcpus) AS cores,
    SUM(ram_mib) AS ram_mib
  FROM instance_mappings
  WHERE cell <> 'cell0' AND queued_for_delete = 0 AND retained = 0
  GROUP BY namespace_uid
) s ON s.namespace_uid = u.namespace_uid
WHERE COALESCE(s.instances, 0) <> u.instances OR COALESCE(s.cores, 0) <> u.cores
  OR COALESCE(s.ram_mib, 0) <> u.ram_mib
"""
_USAGE_OF_NOBODY = """
SELECT server_uid FROM instance_mappings
WHERE cell <> 'cell0' AND queued_for_delete = 0 AND retained = 0
AND namespace_uid NOT IN (SELECT namespace_uid FROM namespace_usages)
"""
_TOO_MANY_MEMBERS = """
SELECT g.group_uid, m.host, COUNT(DISTINCT m.server_uid)
FROM server_groups g JOIN group_members m ON m.group_uid = g.group_uid
WHERE g.policy = 'AntiAffinity' AND g.topology = 'Host'
GROUP BY g.group_uid, m.host, g.max_per_domain
HAVING COUNT(DISTINCT m.server_uid) > g.max_per_domain
"""
_MEMBER_OF_NOTHING = """
SELECT m.server_uid, m.placement_generation FROM group_members m
WHERE NOT EXISTS (
  SELECT 1 FROM allocations a WHERE a.server_uid = m.server_uid
  AND a.placement_generation = m.placement_generation
)
"""
_PLACE_OF_NOTHING = """
SELECT n.server_uid, n.placement_generation FROM numa_placements n
WHERE NOT EXISTS (
  SELECT 1 FROM allocations a JOIN resource_providers p ON p.id = a.provider_id
  WHERE a.server_uid = n.server_uid AND p.name = n.host
  AND a.placement_generation = n.placement_generation
)
"""


_RULES = {
    "host fuller than it may be": _OVERFULL,
    "address given twice": _SHARED_ADDRESS,
    "MAC given twice": _SHARED_MAC,
    "address of nobody": _ADDRESS_OF_NOBODY,
    "claim of nobody": _CLAIM_OF_NOBODY,
    "placed without a claim": _HOST_WITHOUT_CLAIM,
    "queued without a tombstone": _QUEUED_WITHOUT_TOMBSTONE,
    "usage that is not the sum": _USAGE_DRIFT,
    "Server without usage": _USAGE_OF_NOBODY,
    "more members than may be": _TOO_MANY_MEMBERS,
    "member that holds nothing": _MEMBER_OF_NOTHING,
    "place in NUMA cells without a claim": _PLACE_OF_NOTHING,
}


def find_violations(url: SecretStr) -> dict[str, Rows]:
    """Return every broken rule with the rows that break it."""
    found = run_sql(url, *_RULES.values())
    return {rule: rows for rule, rows in zip(_RULES, found, strict=True) if rows}
