"""Inspections that stand for what a classic layout has no field for."""
