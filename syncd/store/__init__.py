"""What the hub remembers, on SQLite or PostgreSQL. Knows SQL; decides nothing."""
