"""What can go wrong with the store that is not a bug."""


class StoreError(Exception):
    """The store cannot be read or written; the text says why and what to do about it."""
