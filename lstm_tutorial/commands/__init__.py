"""The command line, one module a command: ``python -m lstm_tutorial <command> --help``."""
