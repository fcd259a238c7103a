"""Where the service and the live engine keep what they know: SQLite embedded, or PostgreSQL by URL."""
