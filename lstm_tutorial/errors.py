"""The one kind of exception a user is meant to read.

A ``UserError`` says in one sentence what was given, what was expected and what to do about it.
The command line prints that sentence and ends with exit code 2; everything else is a bug and
keeps its traceback.
"""


class UserError(Exception):
    """Something outside the program is not as it should be, and the message says the way out."""


class DataError(UserError):
    """A data file is missing, damaged, or not the file it claims to be."""
