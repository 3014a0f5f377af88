"""SQL and named queries."""
