"""layout.yaml to a layout."""
