"""The operator: schedules and conducts, and alone opens the databases."""
