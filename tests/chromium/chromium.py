"""The Chromium of this machine: where it is, how to get it, how it is started."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

# The shell is Chromium without its windows, and takes half the time for a page.
_PROGRAMS = ("chromium-headless-shell", "chromium")
HOW_TO_GET_IT = "no Chromium: apt-get install chromium-headless-shell, or set CHROMIUM=/path/to/one"

# Nothing but the pages of the test may use the network.
_ARGUMENTS = (
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class NoChromiumError(Exception):
    """There is no Chromium, or nothing to drive it with; the message says how to get it."""


def find_chromium() -> str:
    """The program: CHROMIUM where it is set, otherwise the first of _PROGRAMS on the PATH.

    Raises NoChromiumError.
    """
    named = os.environ.get("CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else _PROGRAMS)), None)
    if found is None:
        told = f"CHROMIUM={named} is no program; " if named else ""
        raise NoChromiumError(told + HOW_TO_GET_IT)
    return found


def launch_chromium(playwright: Playwright) -> Browser:
    """A headless Chromium. Its sandbox is off for root, under whom it does not work."""
    arguments = [*_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    return playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
