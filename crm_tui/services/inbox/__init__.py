"""What comes in: collected, kept as it was received, and turned into events."""
