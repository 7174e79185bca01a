from __future__ import annotations

from intoto_action.reason import Misused, Reason, Unavailable
from intoto_action.render.failed import failed


def test_what_others_wrote_is_text_and_the_reason_is_explained_elsewhere() -> None:
    told = failed("Not attached", Unavailable("<b>|`x`\x1b[31m@octocat", Reason.REGISTRY_ERROR))
    assert told == (
        "### Not attached\n\n&#60;b&#62;&#124;&#96;x&#96;&#92;x1b&#91;31m&#64;octocat\n\n"
        "<code>docs/reason-codes&#46;md&#35;registry-error</code>\n"
    )


def test_what_has_several_lines_is_several_paragraphs_and_explained_once() -> None:
    told = failed("Not verified", Misused("one\n\ntwo"))
    assert told == (
        "### Not verified\n\none\n\ntwo\n\n<code>docs/reason-codes&#46;md&#35;wrong-input</code>\n"
    )
