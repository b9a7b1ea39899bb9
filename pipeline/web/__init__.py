"""The local page over a store, and the same as an HTTP API."""
