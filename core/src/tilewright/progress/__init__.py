"""How far a run is: bars on a terminal, lines in a log."""
