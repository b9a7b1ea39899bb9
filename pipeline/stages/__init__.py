"""What is done to one batch: pure functions, the same under threads and on a cluster."""
