"""A class folder: whole under its name, or absent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from dessin.errors import DessinError
from dessin.fetch.record import ClassRecord, Ledger, Origin, digest_of_images
from dessin.files import atomic_path
from dessin.progress import warn


def write_class(
    ledger: Ledger,
    label: str,
    images: Mapping[str, bytes],
    *,
    pool: int,
    left_out: Counter[str],
    origin: Origin,
) -> None:
    """Write the chosen images of a class, and its entry in the record.

    Raises:
        DessinError: there is no image to write.
    """
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(left_out.items()))
    if not images:
        raise DessinError(
            f"{origin.url} holds no usable drawing of {label} in {origin.size:,} bytes "
            f"({reasons or 'nothing at all'}).",
            do="Leave this class out with --classes, or see what the source serves.",
        )
    asked = ledger.record.per_class
    if len(images) < asked:
        warn(f"{label}: {len(images):,} drawings instead of {asked:,}, for there are no more.")
    entry = ClassRecord(
        images=len(images),
        pool=pool,
        left_out=dict(sorted(left_out.items())),
        digest=digest_of_images(dict(images)),
        origin=origin,
    )
    with atomic_path(ledger.root / label) as folder:
        folder.mkdir()
        for name, data in images.items():
            (folder / name).write_bytes(data)
        ledger.finish(label, entry)
