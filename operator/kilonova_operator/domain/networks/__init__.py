"""What is decided about networks, without I/O."""
