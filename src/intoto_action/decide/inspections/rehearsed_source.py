"""The inspection `source` in a rehearsal: what a pull request's run cannot have is told, and not denied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from intoto_action.decide.inspections.source import Source
from intoto_action.decide.inspections.step_link import Origin, StepLink
from intoto_action.formats.environment import is_before_the_merge
from intoto_action.reason import Malformed


class RehearsedSource(Source, frozen=True):
    """As `Source`, but for the ref and the event of a run that a pull request or a merge queue started.

    A layout for releases names neither, and must not. The repository, and all that is asked of the links of any other
    run, stays as it is.
    """

    def differences(self, origin: Origin) -> Iterator[tuple[str, str]]:
        """The repository alone, where ref and event are those of a change that is not merged."""
        if not is_before_the_merge(origin.event):
            yield from super().differences(origin)
        elif origin.repository != self.demand.repository:
            yield self.demand.repository, origin.repository

    def notes(self, links: Iterable[StepLink]) -> Iterator[str]:
        """What `differences` lets pass, each thing once: it would be denied of a release."""
        told = set()
        for each in links:
            try:
                origin = each.origin()
            except Malformed:
                continue  # which is denied where the differences are looked at
            if origin is None or not is_before_the_merge(origin.event):
                continue
            for expected, found in super().differences(origin):
                if origin.repository == self.demand.repository and (expected, found) not in told:
                    told.add((expected, found))
                    yield f"a release needs {expected}: this run has {found}, as a change before its merge has"
