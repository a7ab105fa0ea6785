"""The instructor's commands: python -m vae_lessons grade | store | claims | site, each with --help."""

import argparse
import sys

from vae_lessons.instructor import claims, grade, site, store


def main(words=None):
    """Run one command from its words, by default the command line's -> exit code: 0, or 1 for a "no".

    Raises SystemExit with code 2, after one sentence, if it is called wrongly.
    """
    parser = argparse.ArgumentParser(prog="python -m vae_lessons", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (grade, store, claims, site):
        about = command.__doc__
        name = command.__name__.split(".")[-1]
        one = commands.add_parser(
            name,
            help=about.splitlines()[0],
            description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.arguments(one)
        one.set_defaults(main=command.main, parser=one)
    given = parser.parse_args(words)
    return int(given.main(given.parser, given))


if __name__ == "__main__":
    sys.exit(main())
