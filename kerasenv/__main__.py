import gc
import sys

import kerasenv

# In seconds. One thread waits for programs and files while another imports what comes next: whenever it may go on, it
# would have to wait for 5 ms by default, and what it was about to start as well
_SWITCH_AFTER = 0.0005


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:  # without waiting for typer and all that the verbs need
        sys.stdout.write(f"kerasenv {kerasenv.__version__}\n")
        return
    # Hardly anything that is made here is a circle of garbage; to look for some takes a tenth of a short command's time
    gc.disable()
    sys.setswitchinterval(_SWITCH_AFTER)
    from kerasenv.cli.app import run  # noqa: PLC0415  # for the same reason

    run()


if __name__ == "__main__":
    main()
