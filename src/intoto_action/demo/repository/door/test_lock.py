"""What the lock must and must not open for."""

import unittest

from .lock import opens


class LockTest(unittest.TestCase):
    """The lock opens for its code and for nothing else."""

    def test_the_code_opens_the_door(self) -> None:
        """The code that the owner chose."""
        self.assertTrue(opens("open sesame"))

    def test_another_code_does_not(self) -> None:
        """A code that sounds like it."""
        self.assertFalse(opens("open barley"))

    def test_no_code_does_not(self) -> None:
        """Nothing at all."""
        self.assertFalse(opens(""))
