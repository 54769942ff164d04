"""The `edgebox` command: which subcommand, and how it ends.

Owns: the list of commands and exit codes (0 done, 1 refused or not good, 2 bad input, 130 Ctrl-C). Never: does the
work; a command's module is imported when it is asked for, so `edgebox claim verify` doesn't load what `edgebox render`
needs.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from edgebox.errors import EdgeboxError


class Command(NamedTuple):
    """One subcommand: the module with `add_arguments(parser)` and `run(options) -> int`, and its line of help."""

    name: str
    module: str
    words: str


COMMANDS = (
    Command("run", "edgebox.commands_run", "run the engine"),
    Command("read", "edgebox.commands_read", "read captured streams: kind, total, number, and where a slip may go"),
    Command("teach", "edgebox.commands_teach", "make a receipt profile from one to three captures"),
    Command("replay", "edgebox.commands_replay", "send a captured stream to a printer"),
    Command("render", "edgebox.commands_render", "draw a captured stream as the paper it would be"),
    Command("claim", "edgebox.commands_claim", "check a claim's URL"),
    Command("slip", "edgebox.commands_slip", "the slips there are, checked, and what one looks like"),
    Command("beacons", "edgebox.commands_beacons", "who is near: the table of known tags; and calibrate one"),
    Command("backup", "edgebox.commands_store", "copy everything that is recorded to one file; the engine may run"),
    Command("restore", "edgebox.commands_store", "put a backup in the database's place; the engine must be stopped"),
    Command("export", "edgebox.commands_store", "the receipts of a period, to compare with the till's own books"),
    Command("desk", "edgebox.commands_desk", "what the coupon desk has redeemed: a shift's tally, and conflicts"),
    Command("config", "edgebox.commands_config", "check the configuration"),
    Command("devices", "edgebox.commands_devices", "what is plugged in, and its URL for the configuration"),
    Command("setup", "edgebox.commands_setup", "wire and configure this box: five answers, or a file of them"),
    Command("doctor", "edgebox.commands_doctor", "what is wrong with this box, why it matters, and what mends it"),
    Command("update", "edgebox.commands_update", "another version of edgebox, on trial; and how the slots stand"),
    Command("release", "edgebox.commands_release", "make an update file and sign it; not for a box"),
    Command("gadget", "edgebox.commands_gadget", "the box as a USB printer of the till's"),
    Command("contract", "edgebox.commands_contract", "what box and cloud say to each other, as AsyncAPI and schemas"),
    Command("fleet", "edgebox.commands_fleet", "all boxes of a merchant: look, command, roll out, verify"),
)
BAD_INPUT = 2
INTERRUPTED = 130  # as a shell has it: 128 and SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without these letters, a name that is no text
    try:
        options = _parsed(arguments)
        code: int = options.run(options)
        sys.stdout.flush()
    except EdgeboxError as fault:
        print(f"edgebox: {fault}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # the reader of our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as fault:
        subject = f"{fault.filename}: " if fault.filename else ""
        print(f"edgebox: {subject}{fault.strerror or fault}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:  # a person has enough
        print(file=sys.stderr)
        return INTERRUPTED
    return code


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """As parse_args, but a command's list (`rest` names it) may go on behind its options, where argparse has it end."""
    parser = _parser(arguments)
    options, rest = parser.parse_known_args(arguments)
    more: list[str] | None = getattr(options, getattr(options, "rest", ""), None)
    if rest and (more is None or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if more is not None:
        more += rest
    return options


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Only the command that is asked for gets its arguments; the others are names for the help."""
    parser = argparse.ArgumentParser(
        prog="edgebox", description="The box between the till and the receipt printer.", allow_abbrev=False
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = next((word for word in arguments if not word.startswith("-")), "")
    for command in COMMANDS:
        sub = commands.add_parser(command.name, help=command.words, description=command.words, allow_abbrev=False)
        if command.name == wanted:
            module = importlib.import_module(command.module)
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
