"""What a rule's pattern can match, said without looking at artifacts.

Source: in_toto.verifylib uses Python's `fnmatch`: `*` crosses `/`, `?` is one character, `[…]` a class. A class is
taken here for any one character: these functions may say yes too often, and never say no when it is yes.
"""

from __future__ import annotations

import fnmatch
import re

from intoto_action.formats.rule import ArtifactRule, RuleKind

_STAR = "*"
_ANY = "?"
_MOST_STATES = 1_000_000
"""Beyond this the answer is yes: patterns come from files of others too, and a warning is not worth minutes."""
_TOKEN = re.compile(r"\*+|\[!?\]?[^\]]*\]|.", re.DOTALL)
_TAKES_MATERIALS = frozenset({RuleKind.MATCH, RuleKind.ALLOW, RuleKind.MODIFY, RuleKind.DELETE})
_TAKES_PRODUCTS = frozenset({RuleKind.MATCH, RuleKind.ALLOW, RuleKind.MODIFY, RuleKind.CREATE})


def takes(rule: ArtifactRule, field: str) -> bool:
    """Whether a rule can take artifacts out of the queue of `expected_materials` or `expected_products`.

    CREATE takes nothing from materials and DELETE nothing from products: in_toto.verifylib looks them up among
    the other artifacts of the same link.
    """
    return rule.kind in (_TAKES_MATERIALS if field == "expected_materials" else _TAKES_PRODUCTS)


def matches_everything(pattern: str) -> bool:
    """Whether the pattern is made of stars only."""
    return bool(pattern) and not pattern.strip(_STAR)


def matches(pattern: str, name: str) -> bool:
    """Whether the pattern matches the name, as the reference sees it on Linux."""
    return fnmatch.fnmatchcase(name, pattern)


def may_take(rule: ArtifactRule, name: str) -> bool:
    """Whether the patterns of a rule that takes artifacts match this name; prefixes are literal."""
    prefix = f"{rule.source_prefix.removesuffix('/')}/" if rule.source_prefix else ""
    return name.startswith(prefix) and matches(rule.pattern, name.removeprefix(prefix))


def may_meet(left: str, left_prefix: str, right: str, right_prefix: str) -> bool:
    """Whether some name could match both patterns, each behind its literal prefix (empty: none)."""
    return _meet(_tokens(left_prefix, left), _tokens(right_prefix, right))


def _tokens(prefix: str, pattern: str) -> list[str]:
    literal = list(f"{prefix.removesuffix('/')}/") if prefix else []
    return literal + [_token(each) for each in _TOKEN.findall(pattern)]


def _token(text: str) -> str:
    if text.startswith(_STAR):
        return _STAR
    return _ANY if text == "?" or len(text) > 1 else text


def _meet(left: list[str], right: list[str]) -> bool:
    """Walk both patterns at once; a state is how much of each is used up."""
    if len(left) * len(right) > _MOST_STATES:
        return True
    reached = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        place = waiting.pop()
        for following in _following(left, right, place):
            if following not in reached:
                reached.add(following)
                waiting.append(following)
    return (len(left), len(right)) in reached


def _following(left: list[str], right: list[str], place: tuple[int, int]) -> list[tuple[int, int]]:
    one, other = place
    first = left[one] if one < len(left) else None
    second = right[other] if other < len(right) else None
    steps = []
    if first == _STAR:
        steps.append((one + 1, other))
        if second is not None:
            steps.append((one, other + 1))
    if second == _STAR:
        steps.append((one, other + 1))
        if first is not None:
            steps.append((one + 1, other))
    if first is not None and second is not None and _same(first, second):
        steps.append((one + 1, other + 1))
    return steps


def _same(first: str, second: str) -> bool:
    return _STAR not in (first, second) and (first == second or _ANY in (first, second))
