"""The way of a Server, from the queue to the databases and hosts and back.

``super_reconciler`` schedules, claims and releases; ``cell_reconciler`` orders
hosts and shows what they answer. Both get a key, read what is stored, decide by
the tables in ``domain.servers`` and write; both may be killed anywhere.
"""
