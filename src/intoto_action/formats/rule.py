"""Artifact rules: in-toto's grammar, as words in a layout and as one line of text for a person.

Source: in-toto specification 1.0, section 4.3.3 (artifact rules); in_toto.rulelib.unpack_rule, which takes
keywords in any case, and names and patterns as they are.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from enum import Enum

import msgspec

from intoto_action.formats.spelling import did_you_mean, quoted
from intoto_action.reason import Malformed

MATERIALS = "materials"
PRODUCTS = "products"
LONGEST_RULE = 16_384
GRAMMAR = "MATCH PATTERN [IN PREFIX] WITH MATERIALS|PRODUCTS [IN PREFIX] FROM STEP"


class RuleKind(Enum):
    """The first word of a rule."""

    CREATE = "CREATE"
    MODIFY = "MODIFY"
    DELETE = "DELETE"
    ALLOW = "ALLOW"
    DISALLOW = "DISALLOW"
    REQUIRE = "REQUIRE"
    MATCH = "MATCH"


_KINDS = {kind.value.lower(): kind for kind in RuleKind}


class ArtifactRule(msgspec.Struct, frozen=True):
    """A rule, taken apart. Everything after `pattern` is of MATCH only, and empty otherwise.

    `pattern` is literal in a REQUIRE and a glob elsewhere, whose `*` matches `/` too; `source_prefix` and
    `destination_prefix` are literal; `destination` is `materials` or `products` of the step `step`.
    """

    kind: RuleKind
    pattern: str
    source_prefix: str = ""
    destination: str = ""
    destination_prefix: str = ""
    step: str = ""

    @property
    def source_pattern(self) -> str:
        """The pattern with its prefix: what the artifacts of the list itself are called."""
        return joined(self.source_prefix, self.pattern)

    @property
    def destination_pattern(self) -> str:
        """What the artifacts of the other step are called."""
        return joined(self.destination_prefix, self.pattern)

    @property
    def is_literal(self) -> bool:
        """Whether the pattern can match one name only."""
        return not any(character in self.pattern for character in "*?[")


def joined(prefix: str, pattern: str) -> str:
    """A prefix of an IN and a pattern as one path, as the reference joins them."""
    return f"{prefix.removesuffix('/')}/{pattern}" if prefix else pattern


def split_rule(line: str, where: str) -> list[str]:
    """The words of a rule written as one line, split as a shell does; keywords in upper case.

    Raises: Malformed, also when the words are no rule.
    """
    if len(line) > LONGEST_RULE:
        raise Malformed(where, f"a rule of at most {LONGEST_RULE} characters", str(len(line)))
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise Malformed(where, "a rule whose quotes are closed", repr(line[:200])) from error
    return encode_rule(parse_rule(words, where))


def join_rule(words: Sequence[str]) -> str:
    """A rule as one line, which `split_rule` takes apart again; only what needs quotes has them."""
    return " ".join(shlex.quote(word) if _needs_quotes(word) else word for word in words)


def parse_rule(words: Sequence[str], where: str) -> ArtifactRule:
    """A rule from its words, as they stand in a layout.

    Raises: Malformed, with the word that is wrong.
    """
    kinds = ", ".join(kind.value for kind in RuleKind)
    if not words:
        raise Malformed(where, f"a rule that begins with one of {kinds}", "nothing")
    kind = _KINDS.get(words[0].lower())
    if kind is None:
        hint = did_you_mean(words[0].upper(), RuleKind.__members__)
        raise Malformed(where, f"a rule that begins with one of {kinds}", f"{quoted(words[0])}{hint}")
    if len(words) < 2:
        raise Malformed(where, f"a pattern after {kind.value}", "the end of the rule")
    if kind is RuleKind.MATCH:
        return _parse_match(words, where)
    if len(words) > 2:
        raise Malformed(where, f"the end of the rule after {kind.value} and one pattern", quoted(words[2]))
    return ArtifactRule(kind, words[1])


def encode_rule(rule: ArtifactRule) -> list[str]:
    """The words of a rule, as they stand in a layout."""
    words = [rule.kind.value, rule.pattern]
    if rule.kind is not RuleKind.MATCH:
        return words
    if rule.source_prefix:
        words += ["IN", rule.source_prefix]
    words += ["WITH", rule.destination.upper()]
    if rule.destination_prefix:
        words += ["IN", rule.destination_prefix]
    return [*words, "FROM", rule.step]


def _parse_match(words: Sequence[str], where: str) -> ArtifactRule:
    reader = _Words(words, where)
    source_prefix = reader.after_keyword("IN", "a prefix")
    reader.keyword("WITH", "IN or WITH" if source_prefix is None else "WITH")
    destination = reader.word("MATERIALS or PRODUCTS").lower()
    if destination not in {MATERIALS, PRODUCTS}:
        hint = did_you_mean(destination.upper(), ("MATERIALS", "PRODUCTS"))
        raise reader.wrong("MATERIALS or PRODUCTS after WITH", hint)
    destination_prefix = reader.after_keyword("IN", "a prefix")
    reader.keyword("FROM", "IN or FROM" if destination_prefix is None else "FROM")
    step = reader.word("the name of a step")
    reader.end()
    return ArtifactRule(
        RuleKind.MATCH, words[1], source_prefix or "", destination, destination_prefix or "", step
    )


class _Words:
    """Reads the words of a MATCH after its pattern, one after the other."""

    def __init__(self, words: Sequence[str], where: str) -> None:
        self._words = words
        self._where = where
        self._next = 2

    def word(self, expected: str) -> str:
        if self._next >= len(self._words):
            raise Malformed(self._where, f"{expected} ({GRAMMAR})", "the end of the rule")
        self._next += 1
        return self._words[self._next - 1]

    def keyword(self, keyword: str, expected: str) -> None:
        if self.word(expected).lower() != keyword.lower():
            raise self.wrong(expected)

    def after_keyword(self, keyword: str, expected: str) -> str | None:
        """The word after an optional keyword, or None when the keyword is not there."""
        if self._next >= len(self._words) or self._words[self._next].lower() != keyword.lower():
            return None
        self._next += 1
        return self.word(f"{expected} after {keyword}")

    def end(self) -> None:
        if self._next < len(self._words):
            self._next += 1
            raise self.wrong("the end of the rule")

    def wrong(self, expected: str, hint: str = "") -> Malformed:
        found = f"{quoted(self._words[self._next - 1])}{hint} as word {self._next}"
        return Malformed(self._where, f"{expected} ({GRAMMAR})", found)


def _needs_quotes(word: str) -> bool:
    return not word or any(character.isspace() or character in "'\"\\" for character in word)
