"""What can be typed: commands, arguments and options in one table, from which parser and help are made.

Sentences live in ``apps/messages.toml`` under ``cli-…``, in both languages. Only the standard library is loaded here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from xinglin.apps.errors import UsageError
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import ABOUT, nearest


@dataclass(frozen=True, slots=True)
class Option:
    """An option: ``--name METAVAR``, or a switch where ``metavar`` is empty.

    ``setting``: it sets that setting. ``many``: it may be given several times.
    """

    name: str
    metavar: str = ""
    setting: str | None = None
    many: bool = False
    short: str = ""

    @property
    def key(self) -> str:
        """Its sentence."""
        return f"apps.cli-option-{self.name}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command: the module under ``xinglin.apps.cli`` that runs it, its argument and its options."""

    name: str
    module: str
    argument: str = ""  # PATH… takes several, [show] may be left out
    options: tuple[Option, ...] = ()
    examples: tuple[str, ...] = ()


_SERVER = (Option("host", "ADDRESS", "host"), Option("port", "NUMBER", "port"))
SHARED = (
    Option("database", "WHERE", "database"),
    Option("data", "FOLDER", "data"),
    Option("config", "FILE"),
    Option("set", "NAME=VALUE", many=True),
    Option("language", "en|zh", "language"),
    Option("json"),
    Option("help", short="-h"),
)

COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command(
            "demo",
            "serving",
            options=(
                Option("patients", "NUMBER"),
                Option("seed", "NUMBER"),
                Option("anew"),
                Option("live"),
                Option("speed", "FACTOR"),
                Option("no-serve"),
                *_SERVER,
            ),
            examples=("xinglin demo", "xinglin demo --patients 50 --port 9000", "xinglin demo --live"),
        ),
        Command(
            "serve",
            "serving",
            options=_SERVER,
            examples=("xinglin serve", "xinglin serve --database ward.db"),
        ),
        Command(
            "import",
            "importing",
            argument="PATH…",
            options=(
                Option("mapping", "FILE", many=True),
                Option("save-mapping", "FILE"),
                Option("yes", short="-y"),
                Option("preview"),
                Option("invariants"),
            ),
            examples=("xinglin import exports/", "xinglin import labs.csv --mapping labs.toml"),
        ),
        Command(
            "export",
            "exporting",
            argument="[FOLDER]",
            options=(
                Option("type", "TYPE", many=True),
                Option("since", "TIME"),
                Option("group", "ID"),
                Option("all-patients"),
                Option("filter", "QUERY", many=True),
                Option("elements", "NAMES"),
                Option("gzip"),
            ),
            examples=(
                "xinglin export records/",
                "xinglin export labs/ --filter 'Observation?code=4548-4' --type Observation --gzip",
            ),
        ),
        Command(
            "search",
            "searching",
            argument="QUERY",
            options=(
                Option("format", "table|json|ndjson|csv"),
                Option("limit", "NUMBER"),
                Option("count"),
                Option("known", "TIME"),
                Option("valid", "TIME"),
            ),
            examples=(
                "xinglin search 'Patient?name=zw'",
                "xinglin search 'Observation?code=4548-4' --format ndjson",
                "xinglin search 'Condition?patient=p1' --known 2021-03-01",
            ),
        ),
        Command(
            "worker",
            "working",
            options=(Option("threads", "NUMBER", "worker_threads"),),
            examples=("xinglin worker", "xinglin worker --database postgresql://db/xinglin --threads 4"),
        ),
        Command(
            "jobs",
            "jobbing",
            argument="[WHAT] [ID]",
            options=(Option("state", "STATE"), Option("kind", "KIND"), Option("limit", "NUMBER")),
            examples=("xinglin jobs", "xinglin jobs list --state failed", "xinglin jobs retry ID"),
        ),
        Command(
            "feed",
            "following",
            options=(
                Option("after", "POSITION"),
                Option("epoch", "EPOCH"),
                Option("type", "TYPE", many=True),
                Option("follow"),
                Option("consumers"),
                Option("again", "NAME"),
            ),
            examples=("xinglin feed --after 0 --type Observation", "xinglin feed --consumers"),
        ),
        Command(
            "drafts",
            "drafting",
            argument="[WHAT] [ID]",
            options=(
                Option("patient", "ID"),
                Option("note", "TEXT"),
                Option("reason", "CODE"),
                Option("content", "FILE"),
                Option("model", "NAME"),
                Option("since", "DATE"),
                Option("limit", "NUMBER"),
            ),
            examples=(
                "xinglin drafts",
                "xinglin drafts accept Task/ID",
                "xinglin drafts rests-on Observation/ID",
            ),
        ),
        Command(
            "doctor",
            "checking",
            options=(Option("adopt-time-zone"),),
            examples=("xinglin doctor", "xinglin doctor --database postgresql://db/xinglin"),
        ),
        Command(
            "backup",
            "backing",
            argument="[list] [FOLDER]",
            options=(
                Option("rehearse"),
                Option("verify"),
                Option("archive"),
                Option("backup", "NAME"),
                Option("keep", "NUMBER", "backup_keep"),
                Option("key-file", "FILE", "backup_key_file"),
            ),
            examples=("xinglin backup /mnt/backups --rehearse", "xinglin backup list /mnt/backups"),
        ),
        Command(
            "restore",
            "backing",
            argument="FOLDER",
            options=(
                Option("to", "POSITION|INSTANT"),
                Option("backup", "NAME"),
                Option("files"),
                Option("no-files"),
                Option("key-file", "FILE", "backup_key_file"),
            ),
            examples=(
                "xinglin restore /mnt/backups --database new.db",
                "xinglin restore /mnt/backups --database new.db --to 2026-05-01T08:30:00+08:00",
            ),
        ),
        Command(
            "reindex",
            "reindexing",
            options=(
                Option("type", "TYPE", many=True),
                Option("parameter", "CODE"),
                Option("all"),
                Option("verify-only"),
                Option("status"),
            ),
            examples=("xinglin reindex --status", "xinglin reindex --type Observation --verify-only"),
        ),
        Command("config", "configuring", argument="[show]", examples=("xinglin config show",)),
    )
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A command line understood: the command, its arguments, its options, and settings given as flags."""

    command: Command | None
    arguments: list[str]
    options: dict[str, Any]
    flags: dict[str, object]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:  # reached only where exit_on_error does not hold
        raise UsageError("apps.cli-usage", reason=message)


def parse(argv: Sequence[str]) -> Asked:
    """The command line. Raises UsageError, which says what was meant where that can be told."""
    words = list(argv)
    name = next((word for word in words if not word.startswith("-")), None)
    if name is None:
        return _options(None, words)
    at = words.index(name)
    before = words[:at]
    if (
        name not in COMMANDS
        and before
        and before[-1] in ("--language", "--config", "--database", "--data", "--set")
    ):
        # `xinglin --language zh import x`: the word after an option is its value
        rest = next((i for i in range(at + 1, len(words)) if words[i] in COMMANDS), None)
        if rest is None:
            return _options(None, words)
        at, name = rest, words[rest]
    if name not in COMMANDS:
        like = nearest(name, COMMANDS)
        if like is None:
            raise UsageError("apps.cli-no-command", name=name, commands=", ".join(COMMANDS))
        raise UsageError("apps.cli-no-command-like", name=name, like=like)
    return _options(COMMANDS[name], words[:at] + words[at + 1 :])


def _options(command: Command | None, words: list[str]) -> Asked:
    known = (*(command.options if command else (Option("version"),)), *SHARED)
    parser = _Parser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for option in known:
        names = [f"--{option.name}", *([option.short] if option.short else [])]
        if option.metavar:
            parser.add_argument(*names, dest=option.name, action="append" if option.many else "store")
        else:
            parser.add_argument(*names, dest=option.name, action="store_true")
    declared = {option.name for option in known}
    others = [
        Option(name.replace("_", "-"), "VALUE", name)
        for name in ABOUT
        if name.replace("_", "-") not in declared
    ]
    for option in others:
        parser.add_argument(*sorted({f"--{option.name}", f"--{option.setting}"}), dest=option.name)
    parser.add_argument("arguments", nargs="*")
    try:
        found, extra = parser.parse_known_intermixed_args(words)
    except argparse.ArgumentError as error:
        raise UsageError("apps.cli-option-value", option=error.argument_name) from None
    for word in extra:
        if word.startswith("-"):
            _unknown_option(word, (*known, *others), command)
        found.arguments.append(word)
    known = (*known, *others)
    options = {option.name: getattr(found, option.name) for option in known}
    flags: dict[str, object] = {
        option.setting: options[option.name]
        for option in known
        if option.setting and options[option.name] is not None
    }
    for given in options.get("set") or ():
        name, equals, value = given.partition("=")
        if not equals:
            raise UsageError("apps.cli-set", given=given)
        flags[name.strip().replace("-", "_")] = value
    if command:
        _check_arguments(command, found.arguments, options)
    elif found.arguments:
        raise UsageError("apps.cli-no-command", name=found.arguments[0], commands=", ".join(COMMANDS))
    return Asked(command, found.arguments, options, flags)


def _unknown_option(word: str, known: Sequence[Option], command: Command | None) -> NoReturn:
    name = word.split("=")[0]
    like = nearest(name, [f"--{option.name}" for option in known])
    if like is None:
        raise UsageError("apps.cli-no-option", option=name, command=command.name if command else "")
    raise UsageError("apps.cli-no-option-like", option=name, like=like)


def _check_arguments(command: Command, arguments: list[str], options: dict[str, Any]) -> None:
    if options["help"]:
        return
    if command.argument in ("PATH…", "QUERY", "FOLDER") and not arguments:
        raise UsageError(
            f"apps.cli-needs-{command.argument.rstrip('…').lower()}", example=command.examples[0]
        )
    if command.argument == "[show]" and arguments and arguments[0] != "show":
        raise UsageError("apps.cli-config-show", word=arguments[0])
    most = {"PATH…": None}.get(command.argument, len(command.argument.split()))
    if command.argument.startswith("[list]") and arguments[:1] != ["list"]:
        most = 1
    if most is not None and len(arguments) > most:
        key = "apps.cli-quote" if command.argument == "QUERY" else "apps.cli-too-many"
        raise UsageError(key, word=arguments[most], command=command.name)


def help_text(command: Command | None, language: Language) -> str:
    """What ``--help`` prints."""
    lines = []
    if command is None:
        lines += [
            say("apps.cli-about", language),
            "",
            say("apps.cli-head-usage", language) + " xinglin COMMAND …",
            "",
        ]
        lines.append(say("apps.cli-head-commands", language))
        lines += [f"  {name:<8} {say(f'apps.cli-{name}', language)}" for name in COMMANDS]
        lines += ["", say("apps.cli-more-help", language)]
        shown: tuple[Option, ...] = (Option("version"),)
    else:
        usage = f"xinglin {command.name} {command.argument}".rstrip()
        lines += [say(f"apps.cli-{command.name}", language), ""]
        lines += [f"{say('apps.cli-head-usage', language)} {usage}"]
        if command.argument:
            lines += ["", f"  {command.argument:<8} {say(f'apps.cli-argument-{command.name}', language)}"]
        shown = command.options
    for head, options in (("options", shown), ("shared", SHARED)):
        if options:
            lines += ["", say(f"apps.cli-head-{head}", language)]
            lines += [_help_line(option, language) for option in options]
    if command is not None:
        lines += [
            "",
            say("apps.cli-head-examples", language),
            *(f"  {example}" for example in command.examples),
        ]
    return "\n".join(lines)


def _help_line(option: Option, language: Language) -> str:
    name = f"{option.short + ', ' if option.short else ''}--{option.name} {option.metavar}".rstrip()
    return f"  {name:<30} {say(option.key, language)}"
