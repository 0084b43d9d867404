"""A CSV file as an app: what is not asked to change stays byte for byte."""
