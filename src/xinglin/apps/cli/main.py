"""``xinglin``: reads the command line, runs one command, and turns whatever goes wrong into one sentence.

Exit codes: 0 done; 1 not done, with a sentence why; 2 the command line was not understood; 3 an import is done but some
of it was rejected; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from xinglin.apps.cli.grammar import COMMANDS, Asked, help_text, parse
from xinglin.apps.errors import Stopped, UsageError
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language, choose, say

__all__ = ["COMMANDS", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``xinglin`` with these words (by default those it was called with); the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    language = spoken(words)
    as_json = "--json" in words
    try:
        asked = parse(words)
        if asked.options["help"] or (asked.command is None and not asked.options.get("version")):
            print(help_text(asked.command, language))
            return 0 if asked.options["help"] else 2
        if asked.command is None:
            return _version(as_json)
        return _run(asked, language)
    except UsageError as error:
        return _failed(error.say(language), as_json, 2)
    except Stopped as error:
        return _failed(error.say(language), as_json, 130)
    except XinglinError as error:
        return _failed(error.say(language), as_json, 1)
    except KeyboardInterrupt:
        return _failed(say("apps.interrupted", language), as_json, 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return _failed(say("apps.os-error", language, reason=reason, file=error.filename or "–"), as_json, 1)
    except Exception as error:
        if os.environ.get("XINGLIN_TEST_TRACEBACK"):
            raise
        return _failed(
            say("apps.unexpected", language, kind=type(error).__name__, place=_place(error)), as_json, 1
        )


def spoken(words: Sequence[str]) -> Language:
    """The language to answer in before the settings are read: flag, environment, locale."""
    for at, word in enumerate(words):
        value = (
            words[at + 1]
            if word == "--language" and at + 1 < len(words)
            else word.partition("--language=")[2]
        )
        if value in ("en", "zh"):
            return "zh" if value == "zh" else "en"
    named = os.environ.get("XINGLIN_LANGUAGE", "")
    if named in ("en", "zh"):
        return "zh" if named == "zh" else "en"
    return choose(
        next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), None)
    )


def _run(asked: Asked, language: Language) -> int:
    from importlib import import_module

    from xinglin.kernel.log import configure
    from xinglin.kernel.settings import load

    assert asked.command is not None
    loaded = load(asked.flags, file=asked.options["config"])
    if loaded.settings.language != "auto":
        language = "zh" if loaded.settings.language == "zh" else "en"
    if asked.command.name != "config":
        configure(loaded.settings.log_level)
    module = import_module(f"xinglin.apps.cli.{asked.command.module}")
    code: int = module.run(asked, loaded, language)
    return code


def _version(as_json: bool) -> int:
    from xinglin import __version__

    print(f'{{"version":"{__version__}"}}' if as_json else f"xinglin {__version__}")
    return 0


def _failed(sentence: str, as_json: bool, code: int) -> int:
    if as_json:
        import json

        print(json.dumps({"error": sentence}, ensure_ascii=False))
    else:
        print(sentence, file=sys.stderr)
    return code


def _place(error: BaseException) -> str:
    """Where in our own code an unexpected error arose, for the report of it: a file and a line, no content."""
    place, trace = "–", error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if "xinglin" in name:
            place = f"{os.path.basename(os.path.dirname(name))}/{os.path.basename(name)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


if __name__ == "__main__":
    sys.exit(main())
