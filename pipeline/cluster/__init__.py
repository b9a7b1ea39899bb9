"""More machines, more GPUs: the two stages as actors of Ray."""
