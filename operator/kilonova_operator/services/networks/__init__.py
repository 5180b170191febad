"""Networks: each gets its range, and gives it back when nobody uses it."""
