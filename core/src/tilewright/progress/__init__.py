"""Progress of a run: bars on a terminal, lines in a log."""
