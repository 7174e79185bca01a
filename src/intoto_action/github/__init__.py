"""The runner: event, environment of a link, outputs."""
