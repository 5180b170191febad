"""What must hold of a host in any case, one rule a file."""
