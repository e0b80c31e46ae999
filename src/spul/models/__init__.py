"""Base models, the prompted forward pass, adapters."""
