"""Review files: a wrap file with what a judge said about each pair, in both orders, and where they lie.

`scores` and `scores_reverse` are in the order in which the answers were shown: [Answer1, Answer2], then [Answer2, Answer1].
"""

import hashlib
import re

PUBLISHED_SLUGS = {"gpt-4": "gpt4", "gpt-3.5-turbo": "gpt3.5"}


def judge_slug(api_model: str) -> str:
    """Return a judge's part of a file name: its published one, or its name; no two judges have the same one.

    A name that is not a plain lower-case file name part, or that could be taken for another judge's, gets eight digits
    of its hash.
    """
    if api_model in PUBLISHED_SLUGS:
        return PUBLISHED_SLUGS[api_model]
    slug = re.sub(r"[^a-z0-9._-]+", "-", api_model.lower(), flags=re.ASCII)[:80].strip("-.")
    looks_hashed = re.search(r"-[0-9a-f]{8}$", slug)
    if not slug or slug != api_model or slug in PUBLISHED_SLUGS.values() or looks_hashed:
        digest = hashlib.sha256(api_model.encode("utf-8", "surrogatepass")).hexdigest()
        slug = f"{slug or 'judge'}-{digest[:8]}"
    return slug


def review_path(wrap_path: str, api_model: str) -> str:
    """Return where the reviews of a wrap file by a judge lie: beside it, `X_wrap.json` -> `X_wrap_reviews_gpt4.json`."""
    return f"{wrap_path.removesuffix('.json')}_reviews_{judge_slug(api_model)}.json"
