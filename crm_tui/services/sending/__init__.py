"""Sending: when, how fast, to whom, and what to do when it fails."""
