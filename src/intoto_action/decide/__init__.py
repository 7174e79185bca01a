"""Pure: what the demands say of the evidence."""
