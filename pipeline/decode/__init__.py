"""From a file to frames and sound; the only package that reads with PyAV."""
