"""Strategies of hypothesis for all that JSON can hold: all of Unicode, integers beyond 64 bits, nested values."""

from hypothesis import strategies as st

# Halves of surrogate pairs too: JSON can write them, as escapes.
texts = st.text(st.characters(codec=None), max_size=12)
unicode_texts = st.text(st.characters(codec="utf-8"), max_size=12)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, values, max_size=4)
