"""Evidence, decided on and put beside its image."""
