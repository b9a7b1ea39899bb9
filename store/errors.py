"""Errors of the store that are not bugs."""


class StoreError(Exception):
    """The store cannot be read or written; the text says why and what to do about it."""


class RecordError(StoreError):
    """One record cannot be stored as it is; others can."""


class StoreBusyError(StoreError):
    """Another process is writing the store.

    Args:
        text: the message.
        holder: that process, for a person: `process 123`.
    """

    def __init__(self, text: str, holder: str) -> None:
        super().__init__(text)
        self.holder = holder
