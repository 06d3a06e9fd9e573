"""A dataset of the Hugging Face Hub: which files it is, and those files in the Hub's own cache.

The Hub is asked for the commit of a branch or tag; the files of a commit never change. Their list is noted in the
cache, so that a dataset that was read once is found again without the Hub.
"""

import contextlib
import errno
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from records.dataset_files import check_one_format
from records.hub_card import choose_files
from records.hub_layout import files_by_pattern
from records.hub_name import HubName
from shared.cli import Interrupted, UserError
from shared.files import atomic_writer, read_text
from shared.hub import HUB_TIMEOUT_SECONDS, HubEntry, NoAnswer, ask_hub, quiet_client, reason_of

# Once the Hub has answered, a list of a hundred thousand files may take a while.
LISTING_TIMEOUT_SECONDS = 120.0
_COMMIT = re.compile("[0-9a-f]{40}")

Sizes = dict[str, int]  # path in the repository -> bytes


@dataclass(frozen=True)
class HubFiles:
    """The files of a split, on this machine. `name` has the commit, the configuration and the split."""

    name: HubName
    files: list[str]

    @property
    def commit(self) -> str:
        """The commit that was read."""
        return str(self.name.revision)


def fetch(name: HubName) -> HubFiles:
    """Return the files of a split, downloaded unless the cache has them.

    Raises UserError within ten seconds when the Hub is absent and the cache lacks them, and for whatever else is wrong.
    """
    repository = _Repository(name)
    commit, sizes = repository.listing()
    pinned = HubName(name.dataset, commit, name.config, name.split, name.file)
    if name.file:
        choice = files_by_pattern(sizes, name.file, name.dataset)
    else:
        readme = read_text(repository.download(commit, "README.md")) if "README.md" in sizes else ""
        choice = choose_files(list(sizes), readme, name.config, name.split, name.dataset)
        pinned = HubName(name.dataset, commit, choice.config, choice.split)
    check_one_format(name.dataset, choice.files)
    repository.check_space(commit, {file: sizes[file] for file in choice.files})
    return HubFiles(pinned, [repository.download(commit, file) for file in choice.files])


class _Repository:
    """A dataset repository on the Hub, and its folder in the cache."""

    def __init__(self, name: HubName) -> None:
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        self.dataset, self.revision = name.dataset, name.revision or "main"
        self._cache = Path(constants.HF_HUB_CACHE)
        self._folder = self._cache / repo_folder_name(repo_id=self.dataset, repo_type="dataset")
        self._was_asked = False
        self._absent = ""  # why the Hub cannot be asked

    def listing(self) -> tuple[str, Sizes]:
        """Return the commit of the revision and its files. Raises UserError when neither Hub nor cache has it."""
        commit = self.revision if _COMMIT.fullmatch(self.revision) else None
        if not (commit and self._noted(commit)):
            commit = self._ask_commit() or commit or self._cached_commit()
        sizes = self._noted(commit) if commit else None
        if commit and sizes is None and not self._absent:
            sizes = self._ask_listing(commit)
        if commit and sizes is None:
            sizes = self._cached_files(commit)  # of a download that another program made
        if not commit or not sizes:
            raise UserError(
                f"{self.dataset}: no such file or folder, no dataset of that name in the Hub's cache, and the Hub "
                f"cannot be asked for one ({self._absent}); connect once to download it, or give a local file"
            )
        return commit, sizes

    def download(self, commit: str, file: str) -> str:
        """Return where a file of a commit lies in the cache, downloaded unless it is there. Raises UserError."""
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HTTPError

        kept = "what is downloaded whole is kept"
        if self._is_cached(commit, file):
            return str(self._folder / "snapshots" / commit / file)
        if not self._was_asked:
            self._ask_commit()
        if self._absent:
            raise UserError(
                f"{self.dataset}: {file} is not in the cache, and the Hub cannot be asked ({self._absent}); "
                "connect once to download it"
            )
        try:
            with quiet_client():
                return hf_hub_download(self.dataset, file, repo_type="dataset", revision=commit)
        except KeyboardInterrupt:
            raise Interrupted(f"{kept}; the same command goes on from there") from None
        except (HTTPError, OSError, ValueError, RuntimeError) as error:  # the last from the client's Xet transfers
            code = getattr(error, "errno", None)
            if code in (errno.ENOSPC, errno.EDQUOT):
                remedy = f"no space left in {self._cache}; free some, or set HF_HOME to a folder on another disk"
            elif code in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR):
                remedy = f"{self._cache} cannot be written; set HF_HOME to a folder that can"
            else:
                remedy = f"{reason_of(error)}; run this again: {kept}"
            raise UserError(f"{self.dataset}: {file} could not be downloaded: {remedy}") from None

    def check_space(self, commit: str, sizes: Sizes) -> None:
        """Raise UserError when the disk has no room for the files that the cache lacks."""
        missing = sum(size for file, size in sizes.items() if not self._is_cached(commit, file))
        folder = next(folder for folder in (self._cache, *self._cache.parents) if os.path.exists(folder))
        free = shutil.disk_usage(folder).free
        if missing > free:
            raise UserError(
                f"{self.dataset}: {missing / 1e9:.1f} GB are to be downloaded, and {folder} has {free / 1e9:.1f} GB "
                "free; free some, or set HF_HOME to a folder on another disk"
            )

    def _ask_commit(self) -> str | None:
        from huggingface_hub import HfApi

        timeout, self._was_asked = HUB_TIMEOUT_SECONDS / 2, True
        answer = ask_hub(
            self._entry(), lambda: HfApi().dataset_info(self.dataset, revision=self.revision, timeout=timeout).sha
        )
        if isinstance(answer, NoAnswer) or not answer:
            self._absent = answer.reason if answer else "it named no commit"
            return None
        if answer != self.revision:
            self._note(Path("refs", self.revision), answer)
        return answer

    def _ask_listing(self, commit: str) -> Sizes | None:
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile

        def question() -> Sizes:
            """Return all files with their sizes."""
            entries = HfApi().list_repo_tree(self.dataset, recursive=True, revision=commit, repo_type="dataset")
            return {entry.path: entry.size for entry in entries if isinstance(entry, RepoFile)}

        answer = ask_hub(self._entry(), question, LISTING_TIMEOUT_SECONDS)
        if isinstance(answer, NoAnswer):
            self._absent = answer.reason
            return None
        if not answer:
            raise UserError(f"{self.dataset}: holds no files at {self.revision}")
        self._note(self._listing_path(commit), json.dumps(answer))
        return answer

    def _entry(self) -> HubEntry:
        unless = "no such file or folder, and "
        return HubEntry("dataset", self.dataset, self.revision, self.dataset, unless, "--data_revision")

    def _noted(self, commit: str) -> Sizes | None:
        try:
            return json.loads((self._folder / self._listing_path(commit)).read_bytes())
        except (OSError, ValueError):
            return None

    def _note(self, path: Path, text: str) -> None:
        # A cache that cannot be written to, but has the files, is as good.
        with contextlib.suppress(UserError), atomic_writer(str(self._folder / path)) as file:
            file.write(text.encode())

    @staticmethod
    def _listing_path(commit: str) -> Path:
        return Path("superfiltering", f"{commit}.json")

    def _cached_commit(self) -> str | None:
        try:
            commit = (self._folder / "refs" / self.revision).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
        return commit if _COMMIT.fullmatch(commit) else None

    def _cached_files(self, commit: str) -> Sizes:
        snapshot = self._folder / "snapshots" / commit
        return {
            path.relative_to(snapshot).as_posix(): path.stat().st_size for path in snapshot.rglob("*") if path.is_file()
        }

    def _is_cached(self, commit: str, file: str) -> bool:
        return os.path.exists(self._folder / "snapshots" / commit / file)
