"""`python -m hapforge`: the same as the `hapforge` command."""

from hapforge.cli import main

main()
