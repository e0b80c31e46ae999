"""Scoring models on the splits, and comparing them."""
