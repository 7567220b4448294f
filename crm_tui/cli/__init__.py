"""The command line: everything the screens do, for scripts and for people who like to type."""
