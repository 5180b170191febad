"""Schema revisions: one chain for the API database, one for cells' databases."""
