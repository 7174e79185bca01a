"""A verdict shown to a person or a machine."""
