"""What is wrong with a layout.yaml, collected, so that its author hears all of it in one go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from intoto_action.formats.yaml import Misplaced, Place
from intoto_action.reason import Malformed, Misused, WrongDocument


class BadLayout(WrongDocument):
    """A layout.yaml with faults; they are in the order of the file, one a line in the text."""

    def __init__(self, faults: Iterable[Misplaced]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: fault.place))
        super().__init__("\n".join(str(fault) for fault in self.faults))


class Faults:
    """Collects faults while reading goes on."""

    def __init__(self) -> None:
        self._found: dict[str, Misplaced] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Place, expected: str, found: str) -> None:
        """Note one fault."""
        self.extend([Misplaced(place, expected, found)])

    def extend(self, faults: Iterable[Misplaced]) -> None:
        """Note faults; one that is known already is not noted again."""
        for fault in faults:
            self._found.setdefault(str(fault), fault)

    @contextmanager
    def kept(self, place: Place) -> Iterator[None]:
        """Note what the block raises and go on after it; `place` is for errors that do not know theirs."""
        try:
            yield
        except Misplaced as fault:
            self.extend([fault])
        except Malformed as fault:
            self.add(place, fault.expected, fault.found)
        except Misused as fault:
            self.add(place, "something that can be read", str(fault))

    def raise_any(self) -> None:
        """Raises: BadLayout when there is a fault."""
        if self._found:
            raise BadLayout(self._found.values())
