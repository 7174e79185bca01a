"""What the Makefile's targets do. A bare Python ≥ 3.11 is enough: the project is never imported."""
