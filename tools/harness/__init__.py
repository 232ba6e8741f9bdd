"""Real processes under faults: what `tools/chaos.py` and `tools/soak.py` share. Standard library only."""
