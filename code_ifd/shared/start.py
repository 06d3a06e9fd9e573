"""How a script starts and ends: its exit code, and what Ctrl-C or a signal that ends it finds at any time.

Scripts import this before all else, so that Ctrl-C gives one line from the first import on. It imports nothing that
Python has not loaded before it: the part of `signal` that is built in instead of that module, which takes milliseconds.
"""

import _signal as signal
import os
import sys
import time

TYPE_CHECKING = False  # as in typing, which is not loaded yet
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

# One Ctrl-C can arrive twice: from the terminal and from the shell script that waits for this one.
REPEAT_SECONDS = 1.0
FOLDERS = ("code_ifd", "code_diversity_fla", "evaluation", "data")


class Signals:
    """What ends a script: Ctrl-C, and what a shell, a batch system or a closed terminal sends."""

    def __init__(self) -> None:
        self.number = signal.SIGINT
        self._last = -REPEAT_SECONDS
        self._is_running = False

    def begin(self, is_async: bool) -> None:
        """Raise KeyboardInterrupt from now on, which the work catches to say what is kept."""
        self.number, self._last, self._is_running = signal.SIGINT, -REPEAT_SECONDS, True
        # asyncio cancels what it runs in its own way, which it does only for Python's own handler.
        self._replace(signal.SIGINT, signal.default_int_handler if is_async else self.receive)
        if not is_async:
            self._replace(signal.SIGTERM, self.receive)
            self._replace(signal.SIGHUP, self.receive)

    def watch(self) -> None:
        """Leave at once when a signal comes: nothing has been done that could be kept."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._replace(number, self.receive)

    def end(self) -> None:
        """Raise nothing more: what is kept is being said."""
        self._is_running, self._last = False, time.monotonic()
        self._replace(signal.SIGINT, self.receive)

    def receive(self, number: int, frame: "FrameType | None") -> None:
        """Handle a signal. A second one while the first is being handled says nothing new."""
        now = time.monotonic()
        if now - self._last < REPEAT_SECONDS:
            return
        self._last, self.number = now, number
        if self._is_running:
            raise KeyboardInterrupt
        os.write(2, b"\nstopped: interrupted by the user\n")
        os._exit(128 + number)

    def _replace(self, number: int, handler: "Callable[[int, FrameType | None], None]") -> None:
        """Set a handler, unless whoever started this process wants the signal ignored, as nohup does."""
        own = (signal.SIG_DFL, signal.default_int_handler, self.receive)
        if signal.getsignal(number) in own:
            signal.signal(number, handler)


SIGNALS = Signals()


def run(main: "Callable[[], None]", is_async: bool = False) -> None:
    """Run a script's `main` and leave with its exit code.

    0 when done, 2 after a `UserError` (one line on stderr, no traceback), 130 after Ctrl-C, 143 after SIGTERM. Anything
    else is a fault of ours and keeps its traceback. `is_async`: the script runs asyncio, which handles Ctrl-C.
    """
    from shared.cli import UserError, prepare_stdout, tell

    prepare_stdout()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        SIGNALS.begin(is_async)
        main()
    except UserError as error:
        SIGNALS.end()
        tell(f"error: {error}")
        sys.exit(2)
    except KeyboardInterrupt as interrupt:
        SIGNALS.end()
        print(file=sys.stderr)
        tell(f"stopped: {str(interrupt) or 'interrupted by the user'}")
        sys.exit(128 + SIGNALS.number)
    finally:
        SIGNALS.end()
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_script() -> bool:
    """Tell whether this process runs one of our scripts, and is not one of tests, or of Ray, that imports them."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    script = os.path.realpath(sys.argv[0]) if sys.argv and sys.argv[0] else ""
    return script.startswith(tuple(os.path.join(root, folder, "") for folder in FOLDERS))


if _is_script():
    # At import, since the imports that follow take most of a short script's time.
    SIGNALS.watch()
