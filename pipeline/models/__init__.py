"""Frames, speech and text to vectors and words; no threads, no store."""
