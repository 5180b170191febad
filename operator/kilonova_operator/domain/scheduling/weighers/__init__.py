"""Nova's weighers, one a file."""
