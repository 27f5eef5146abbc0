"""``python -m simtool`` is ``simtool``."""

from simtool import cli, stages

__all__ = ["main"]


def main() -> None:
    """Run the command line as the only program of a process."""
    stages.in_own_process = True
    cli.main()


if __name__ == "__main__":
    main()
