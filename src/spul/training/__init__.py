"""Training the trainable part, with resume."""
