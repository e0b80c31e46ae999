"""The pages under docs/ that are made from the package itself."""
