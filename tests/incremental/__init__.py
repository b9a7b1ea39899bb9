"""What a scan does about what has happened since the one before."""
