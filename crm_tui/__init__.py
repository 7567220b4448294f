"""A terminal CRM for a solo operator who sells websites to local businesses."""

__version__ = "0.1.0"
