"""A cell's database: the order book and the history of guests."""
