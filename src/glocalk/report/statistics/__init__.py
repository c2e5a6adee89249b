"""How sure a figure is: intervals, tests and verdicts, from the users' errors in records."""
