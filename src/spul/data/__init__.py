"""Data: sources, splitting, templates, posing as token ids, batches."""
