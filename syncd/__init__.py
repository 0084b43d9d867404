"""Keep the contact fields of N apps consistent, field by field, in every direction."""

__version__ = "0.1.0"
