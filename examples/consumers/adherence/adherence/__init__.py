"""Says who is not where their schedule wants them: see `python -m adherence --help`."""
