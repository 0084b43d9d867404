"""A table or view of an SQL database as an app: only the named columns of the named rows change."""
