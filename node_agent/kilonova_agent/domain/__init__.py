"""Rules without I/O: what is to be done, given what is wanted and what is."""
