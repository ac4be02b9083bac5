"""``python -m turnout``: the command line, where no script of it is on the path."""

from turnout.cli import main

if __name__ == "__main__":
    main()
