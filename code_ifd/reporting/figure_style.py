"""How figures look and are written: fonts, colours for light and dark, and the same bytes each time."""

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared.cli import missing_package

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PNG_DPI = 200  # twice as sharp as the smallest size at which it is read
INK = {"light": "#1f2328", "dark": "#e6e8eb"}
# Tried after the default font for the letters that it lacks, where they are installed.
MORE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "Arial Unicode MS",
    "Microsoft YaHei",
    "PingFang SC",
    "Noto Sans",
)


@contextmanager
def figure_style(theme: str, font_size: int = 10) -> Iterator[None]:
    """Draw in this context in the style of all figures. Raises UserError where matplotlib is not installed."""
    # Its warnings about fonts are of no use to a reader of the figure.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    try:
        # Jupyter and Colab name a backend of theirs, which matplotlib refuses outside of them; none is needed here.
        os.environ["MPLBACKEND"] = "Agg"
        import matplotlib
    except ImportError:
        raise missing_package("matplotlib", "the figure") from None
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    ink = INK[theme]
    settings: dict[Any, object] = {  # the keys that matplotlib knows
        "font.family": ["DejaVu Sans", *(name for name in MORE_FONTS if name in installed)],
        "font.size": font_size,
        "svg.hashsalt": "superfiltering",
        "svg.fonttype": "path",
        "text.parse_math": False,
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.edgecolor": ink,
        "xtick.color": ink,
        "ytick.color": ink,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # drawn as boxes
        yield


def new_figure(width_inches: float, height_inches: float, theme: str, dpi: int = PNG_DPI) -> "Figure":
    """Return an empty figure that can measure its texts. A dark one has no background of its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), dpi=dpi, facecolor="white" if theme == "light" else "none")
    FigureCanvasAgg(figure)
    return figure


def figure_bytes(figure: "Figure", file_format: str) -> bytes:
    """Return the figure as `png` or `svg`, without a date."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=file_format, metadata={"Date": None} if file_format == "svg" else {"Software": None})
    return buffer.getvalue()
