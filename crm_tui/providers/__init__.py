"""The outside world: one module per provider, each importing only what all of them share."""
