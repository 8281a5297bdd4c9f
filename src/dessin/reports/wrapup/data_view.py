"""What the page says about the data, its cleaning and its split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.audit.result import Summary
from dessin.collection.split.files import Split
from dessin.collection.thumbnails import Thumbnails
from dessin.reports.run.made import curated
from dessin.reports.run.measure import split_part
from dessin.reports.run.pictures import Picture
from dessin.reports.wrapup.sources import Sources

_STRIP = 16


@dataclass(frozen=True)
class Use:
    """One study or run: its name, where it says that the data are, its split and its curation."""

    name: str
    data: str
    split: Split | None
    manifest: str
    split_digest: str
    curation: str | None


@dataclass(frozen=True)
class CollectionView:
    """A collection, known by its manifest's digest; `strip` has a drawing of each of some classes."""

    name: str
    digest: str
    users: tuple[str, ...]
    split: Split | None
    groups: int
    strip: tuple[Picture, ...]
    audit: Summary | None


def uses(sources: Sources) -> tuple[Use, ...]:
    """What each study and run was made from."""
    found = []
    for study in sources.studies:
        record = study.record
        curation = (record.recipe.get("data") or {}).get("curation")
        digests = record.digests.manifest, record.digests.split
        found.append(Use(record.name, record.data, study.split, *digests, curation))
    for run in sources.runs:
        data, digests = run.record.recipe.data, (run.record.digests.manifest, run.record.digests.split)
        found.append(Use(run.record.name, data.path or "", run.split, *digests, data.curation))
    return tuple(found)


def collections(found: Sequence[Use], audit: Summary | None) -> tuple[CollectionView, ...]:
    """The collections, by digest, in the order in which they are first used."""
    views = []
    for digest in dict.fromkeys(use.manifest for use in found):
        users = [use for use in found if use.manifest == digest]
        split = next((use.split for use in users if use.split), None)
        views.append(
            CollectionView(
                name=next((Path(use.data).name for use in users if use.data), "a collection"),
                digest=digest,
                users=tuple(use.name for use in users),
                split=split,
                groups=len({row.group for row in split.rows}) if split else 0,
                strip=_strip([use.data for use in users if use.data], split),
                audit=audit if audit and audit.manifest_digest == digest else None,
            )
        )
    return tuple(views)


def _strip(folders: Sequence[str], split: Split | None) -> tuple[Picture, ...]:
    """A drawing of each of up to sixteen classes, evenly from the alphabet; none if they are gone."""
    if split is None or not split.classes:
        return ()
    thumbnails = next((t for t in map(Thumbnails, dict.fromkeys(folders)) if t.available), None)
    if thumbnails is None:
        return ()
    first = {row.label: row.image_id for row in reversed(split.rows)}
    step = max(1.0, len(split.classes) / _STRIP)
    shown = [split.classes[int(i * step)] for i in range(min(_STRIP, len(split.classes)))]
    names = thumbnails.names
    pictures = (Picture(thumbnails.uri(first[label]), names.get(label, label)) for label in shown)
    return tuple(picture for picture in pictures if picture.uri)


def splits(found: Sequence[Use]) -> tuple[dict[str, object], ...]:
    """The splits, by digest, with those who used them; `left_out` drawings are in none of their parts."""
    views: list[dict[str, object]] = []
    for number, digest in enumerate(dict.fromkeys(use.split_digest for use in found), start=1):
        users = [use for use in found if use.split_digest == digest]
        split = next((use.split for use in users if use.split), None)
        if split:
            parts = {f"fold {fold}": split.validation(fold) for fold in range(split.folds)}
            parts["holdout"] = split.held_out()
            view = {
                "name": f"Split {number}",
                "split": split,
                "users": [use.name for use in users],
                "groups": len({row.group for row in split.rows}),
                "parts": [split_part(part, rows, split) for part, rows in parts.items() if rows],
                "left_out": split.images - len(split.rows),
            }
            views.append(view)
    return tuple(views)


def curations(found: Sequence[Use]) -> tuple[tuple[str, dict[str, int]], ...]:
    """Each curation file that was used, with what it did; empty counts where the file is gone."""
    return tuple((path, curated(path)) for path in dict.fromkeys(use.curation for use in found) if path)
