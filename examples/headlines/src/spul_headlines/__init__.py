"""An example of a package that adds a task and a metric to spul."""
