"""The databases: SQLAlchemy over PyMySQL or SQLite, never inside a coroutine."""
