"""What the program costs: time, memory and bytes, measured. `python -m benchmarks` runs it all."""
