"""Nova's filters, one a file."""
