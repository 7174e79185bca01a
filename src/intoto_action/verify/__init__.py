"""An image or a directory of links, held against a layout."""
