"""kopf handlers: each one enqueues a key and does nothing else."""
