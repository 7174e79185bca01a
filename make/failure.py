"""The one exception of the targets: a sentence for the person at the terminal."""


class MakeError(Exception):
    """A target cannot go on; the message says why and what to do."""
