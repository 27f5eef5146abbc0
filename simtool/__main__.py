"""``python -m simtool`` is ``simtool``."""

from simtool.cli import main

if __name__ == "__main__":
    main()
