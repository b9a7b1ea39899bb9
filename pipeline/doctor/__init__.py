"""Checks whether this machine has what a scan needs."""
