"""Bytes to frozen data and back, without I/O: the one door through which untrusted input comes in."""
