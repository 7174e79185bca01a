"""What is wrong with a layout that in-toto's own models let through.

The checks have numbers, which docs/layouts.md explains. An error is a layout that says something else than it
seems to, or that cannot be met; `accept_layout` refuses it. A warning is for the layout's author.

Source: in-toto specification 1.0, 4.3; in_toto.verifylib 3.1 for what rules really do; design of this project.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from intoto_action.decide.lint_errors import layout_errors
from intoto_action.decide.lint_fault import Lint, Severity, error, readable_lists, rules_of, warning
from intoto_action.decide.lint_warnings import layout_warnings
from intoto_action.formats.envelope import Wrapper
from intoto_action.formats.layout import Layout
from intoto_action.formats.rule import join_rule
from intoto_action.reason import Finding, Reason

__all__ = ["Lint", "Severity", "error_findings", "lint", "lint_expiry", "lint_wrapper"]

LONG_LIFE = timedelta(days=2 * 366)


def lint(layout: Layout) -> tuple[Lint, ...]:
    """Every fault of a layout, errors first. Pure, and for any layout that `parse_layout` returns."""
    lists = readable_lists(layout)
    return (*layout_errors(layout, lists), *layout_warnings(layout, lists))


def error_findings(layout: Layout) -> tuple[Finding, ...]:
    """The errors among the faults, as findings of phase 3 of the decision."""
    return tuple(_finding(layout, each) for each in layout_errors(layout, readable_lists(layout)))


def lint_expiry(layout: Layout, at: datetime) -> tuple[Lint, ...]:
    """L23, which needs to know the time: a layout that has ended, or lives so long that old ones pile up.

    Source: GHSA-73jv-h86v-c2vh: whoever has an old layout with valid signatures can use it until it ends.
    """
    if layout.expires_at <= at:
        found = f"{layout.expires}, which is over"
        return (error("L23", "a layout that has not ended", found),)
    if layout.expires_at > at + LONG_LIFE:
        expected = f"an end within {LONG_LIFE.days} days, so that an older layout cannot be used for years"
        return (warning("L23", expected, layout.expires),)
    return ()


def lint_wrapper(wrapper: Wrapper) -> tuple[Lint, ...]:
    """L27: the older wrapper signs canonical JSON, which two readers may write differently."""
    if wrapper is Wrapper.METABLOCK:
        return (warning("L27", "a DSSE envelope", "a Metablock, in-toto's older wrapper"),)
    return ()


def _finding(layout: Layout, fault: Lint) -> Finding:
    return Finding(
        reason=Reason.LAYOUT_INVALID,
        expected=fault.expected,
        found=f"{fault.found} (lint {fault.id})",
        where=f"the layout, {fault.where}" if fault.step is not None else "the layout",
        step=fault.step,
        rule=_rule_text(layout, fault),
    )


def _rule_text(layout: Layout, fault: Lint) -> str | None:
    step = layout.step(fault.step) if fault.step is not None else None
    if step is None or fault.rule is None:
        return None
    return join_rule(rules_of(step, fault.field)[fault.rule])
