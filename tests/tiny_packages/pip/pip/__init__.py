import os
import sys

from pip._version import __version__


def main():
    """Say which pip this is: all that a tiny environment asks of it."""
    if sys.argv[1:] != ["--version"]:
        sys.exit("this pip only knows --version")
    folder = os.path.dirname(os.path.abspath(__file__))
    print("pip %s from %s (python %d.%d)" % ((__version__, folder) + sys.version_info[:2]))
