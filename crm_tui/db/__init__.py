"""The store: its engine, its types, its tables and how they change over versions."""
