"""ImageNet-Sketch (Wang et al. 2019): one large zip file, of which the wanted classes are unpacked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dessin.errors import DessinError
from dessin.fetch.archive import DamagedError, Listing, list_images, open_archive, read_image
from dessin.fetch.choice import sample
from dessin.fetch.client import Client
from dessin.fetch.download import download
from dessin.fetch.part import Part
from dessin.fetch.record import Ledger, origin_of
from dessin.fetch.sources import Source
from dessin.fetch.trouble import AGAIN
from dessin.fetch.write_class import write_class
from dessin.progress import say, track, warn

SAMPLING = "a seeded sample of each class's images, bytes as they are in the archive"


def fetch_sketch(ledger: Ledger, client: Client, source: Source, labels: Sequence[str], parts: Path) -> None:
    """Fetch the archive if a class is missing, and unpack the classes that are.

    Raises:
        DessinError: the archive lacks a class or is damaged, or the network does not let it.
    """
    missing = [label for label in labels if not ledger.done(label)]
    if not missing:
        return
    part = Part(parts / "archive.zip")
    fetched = download(client, source.address, part, label=f"{source.title}, MiB")
    say(f"{source.title}: {fetched.size:,} bytes, sha256 {fetched.sha256}")
    origin = origin_of(fetched, client.clock.now())
    try:
        with open_archive(part.path) as archive:
            listing = list_images(archive)
            _check_listing(ledger, listing, missing, source)
            for label in track(missing, len(missing), f"{source.title}, classes"):
                members = listing.images[label]
                chosen = sample(
                    sorted(members), ledger.record.per_class, label=label, seed=ledger.record.seed
                )
                images = {name: read_image(archive, members[name]) for name in chosen}
                write_class(ledger, label, images, pool=len(members), left_out=Counter(), origin=origin)
    except DamagedError as damage:
        part.discard()
        raise DessinError(
            f"The archive from {source.address} is damaged ({damage}); it was removed.", do=AGAIN
        ) from None


def _check_listing(ledger: Ledger, listing: Listing, labels: Sequence[str], source: Source) -> None:
    absent = [label for label in labels if label not in listing.images]
    if absent:
        raise DessinError(
            f"{source.title} as served today has no images of {len(absent):,} classes, such as {absent[0]}.",
            allowed=f"It has {len(listing.images):,} classes.",
            do="Leave these classes out with --classes.",
        )
    if listing.left_out:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(listing.left_out.items()))
        warn(f"Members of the archive were left out: {reasons}.")
        ledger.note_left_out(dict(sorted(listing.left_out.items())))
