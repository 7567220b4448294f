"""Importing lists: what a file is, what its rows say, and what becomes of them in the store."""
