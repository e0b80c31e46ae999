"""Recipes by name: what is trained × forget objective × retain terms. One file each."""

from spul.methods._base import METHODS, Recipe

__all__ = ["METHODS", "Recipe"]
