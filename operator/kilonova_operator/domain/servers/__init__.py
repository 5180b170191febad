"""What is decided about one Server, without I/O: gather gives, services write."""
