"""Whether this machine has what a scan needs."""
