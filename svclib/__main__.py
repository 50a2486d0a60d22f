"""``python -m svclib``: the command line where its script is not on the path."""

from svclib.cli import main

if __name__ == "__main__":
    main()
