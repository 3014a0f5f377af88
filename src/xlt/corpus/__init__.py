"""Tweets in DuckDB and in files. The only room with SQL."""
