"""What every kind of database must do; run on SQLite in unit, on MariaDB too."""
