"""A door with a code lock: the program that the demo's image holds."""
