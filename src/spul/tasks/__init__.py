"""Tasks: how an example is posed, and how an answer is read."""
