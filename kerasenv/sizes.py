"""Sizes as a person reads them."""


def in_megabytes(size: int) -> str:
    """Return a number of bytes as '12.3 MB'."""
    return f"{size / 1e6:.1f} MB"
