"""``python -m simtool`` is ``simtool``."""

import gc
import signal
import sys

__all__ = ["main"]

#: Seconds after which another thread has its turn; the usual 0.005 delay the threads that read and write files.
_TURN = 0.0005


def main() -> None:
    """Run the command line as the only program of a process.

    Python looks for garbage after every few hundred new objects, and at the end among all objects. Imports make many
    objects and no garbage, and the system takes all memory back at the end: without both, a command is 0.2 s shorter.
    """
    gc.disable()
    sys.setswitchinterval(_TURN)
    try:
        from simtool import cli, stages

        stages.in_own_process = True
        cli.main()
    except KeyboardInterrupt:  # before a stage has begun, there is nothing to say
        sys.exit(128 + signal.SIGINT)
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
