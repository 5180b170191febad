"""Nova's extra specs: which there are, and what may stand in them."""
