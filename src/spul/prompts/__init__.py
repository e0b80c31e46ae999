"""Soft prompts: the modules that yield what stands in front of the input."""
