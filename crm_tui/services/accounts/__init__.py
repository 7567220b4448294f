"""The accounts messages go and come through: how they stand, and changing them."""
