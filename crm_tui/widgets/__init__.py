"""Reusable widgets: plain rows in, messages out; they know neither the store nor the services."""
