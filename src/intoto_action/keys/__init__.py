"""KEY and PUB words to signers and keys; PEM files; sealing."""
