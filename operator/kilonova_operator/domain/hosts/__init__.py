"""What is decided about one host, without I/O."""
