"""What this room raises: one error, told apart by its code."""


class RelayError(Exception):
    """The relay cannot be used as asked; `code` says why.

    Never carries payload bytes, keys or tokens.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} [{code}]")
        self.code = code
        self.message = message
