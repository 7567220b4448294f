"""The funnel and every figure, each with its formula, its parts and the records behind it."""
