"""Counts what was checked: a line for each check, and a summary at the end."""

import sys
import time

passed = failed = 0


def check(name, condition, seen=None):
    """One check; `seen` is what was found instead."""
    global passed, failed
    if condition:
        passed += 1
        print(f"ok      {name}", flush=True)
    else:
        failed += 1
        print(f"FAILED  {name}: {seen!r}", flush=True)
    return bool(condition)


def equal(name, found, expected):
    return check(name, found == expected, (found, "instead of", expected))


def until(found, seconds, pause=0.2):
    """Asks `found` until it gives something, at most so long; then whatever it gave last."""
    end = time.monotonic() + seconds
    while True:
        value = found()
        if value or time.monotonic() > end:
            return value
        time.sleep(pause)


def section(name):
    """Tells what comes, and how long it has taken so far."""
    print(f"--      {name} ({time.monotonic() - BEGAN:.0f} s)", flush=True)


def done(name):
    """The last line, and the end."""
    print(f"{name}: {passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not passed else 0)


BEGAN = time.monotonic()
