"""Pure tensor functions: alignment, negative log-likelihood, KL."""
