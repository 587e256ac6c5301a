from numpy._version import __version__

__all__ = ["__version__", "asarray"]


def asarray(rows, dtype):
    return [list(map(float, row)) for row in rows]
