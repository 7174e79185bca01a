"""One CI step, recorded as a link."""
