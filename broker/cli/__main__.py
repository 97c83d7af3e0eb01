"""`python -m broker.cli`: the command line without an installed script."""

from broker.cli import main

main()
