"""The lock: it knows the digest of its code, not the code."""

import hashlib
import hmac

CODE = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb"


def opens(code: str) -> bool:
    """Whether this is the code of the door."""
    return hmac.compare_digest(hashlib.sha256(code.encode()).hexdigest(), CODE)
