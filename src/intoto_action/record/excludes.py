"""What is left out: the syntax of .gitignore, for names relative to the base."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from intoto_action.reason import Misused

DEFAULT_EXCLUDES = (".git/**",)
"""All that is left out without being asked; in-toto also drops *.pyc, *~ and *.link*, which can be code."""

_GIT = ".git"


class Excludes:
    """The default excludes, then those that were asked for: the last one that matches decides, so `!` takes back.

    Raises: Misused for a pattern that .gitignore's syntax does not know.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._match_file: Callable[[str], bool] | None = None
        self._all_of_git = not any(pattern.lstrip().startswith("!") for pattern in patterns)
        if not patterns:
            return
        from pathspec import GitIgnoreSpec

        try:
            self._match_file = GitIgnoreSpec.from_lines([*DEFAULT_EXCLUDES, *patterns]).match_file
        except ValueError as error:
            raise Misused(f"--exclude: expected patterns as in .gitignore; {error}") from error

    def below(self, directory: str) -> Excludes:
        """The same for names relative to that directory: patterns stay relative to the base.

        What is left out of the base by default is left out of the directory too, because it may be a checkout.
        """
        inner = Excludes()
        inner._all_of_git = self._all_of_git
        if (match := self._match_file) is not None:
            inner._match_file = lambda path: (
                match(f"{directory}/{path}") or (path.startswith(f"{_GIT}/") and match(path))
            )
        return inner

    def file(self, path: str) -> bool:
        """Whether a file of that name is left out."""
        if self._match_file is None:
            return path.startswith(f"{_GIT}/")
        return self._match_file(path)

    def directory(self, path: str) -> bool:
        """Whether nothing in a directory of that name is looked at. As in git, nothing in it can be taken back."""
        return (path == _GIT and self._all_of_git) or self.file(path)

    def kept(self, paths: Iterable[str]) -> Iterable[str]:
        """Those of the files of a directory that is looked at that are not left out: by the defaults, none is."""
        return paths if self._match_file is None else (path for path in paths if not self.file(path))
