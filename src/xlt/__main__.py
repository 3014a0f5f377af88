"""`python -m xlt` is the same as `xlt`."""

from xlt.cli import main

if __name__ == "__main__":
    main()
