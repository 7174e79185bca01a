"""The main job on an embedded default, and seven outcomes."""
