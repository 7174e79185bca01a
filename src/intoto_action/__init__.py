"""A chain of custody for container images: in-toto links and layouts, attached and verified."""

__version__ = "0.1.0"
