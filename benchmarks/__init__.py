"""Speed and memory of the prompt's training step, side by side with the naive formulation."""
