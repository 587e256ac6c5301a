def main() -> None:
    """Run the command line."""
    from kerasenv.cli.app import run  # noqa: PLC0415  # --version must not wait for typer's whole family

    run()


if __name__ == "__main__":
    main()
