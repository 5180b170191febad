"""How work reaches a reconciler: feeds, queues, waiting keys."""
