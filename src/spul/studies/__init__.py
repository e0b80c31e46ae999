"""Studies: many runs that belong together, and what they show.

:mod:`spul.studies.jobs` says what a run of a study is and where it lies, :mod:`spul.studies.runner` runs jobs in worker
processes so that the same command goes on after anything.
"""
