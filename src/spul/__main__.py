"""``python -m spul`` is ``spul``."""

from spul.cli.main import main

main()
