"""The verb `explain`: a map over each drawing, how faithful the maps are, and a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import torch

from dessin.answers.committee import load_model
from dessin.answers.tree import leaves
from dessin.errors import DessinError, listing, unknown
from dessin.folders import result_folder
from dessin.images.containers.base import FORMATS
from dessin.language import tr, tr_n
from dessin.ops import as_paths, names
from dessin.page.html import PAGE_FILE, write_page
from dessin.page.numbers import counted
from dessin.progress import say, warn
from dessin.runs.executors.choose import choose_mapper
from dessin.runs.subject import read_subject
from dessin.training.device import choose_device
from dessin.trust.explain.batches import each_batch
from dessin.trust.explain.explainer import Explainer
from dessin.trust.explain.maps import METHODS
from dessin.trust.explain.measure import measure_faithfulness, seeded_sample
from dessin.trust.explain.pictures import MAPS_FOLDER, explain_batch
from dessin.trust.explain.result import Explanation, write_faithfulness, write_rows
from dessin.trust.explain.sources import Reader, given_drawings, validation_drawings
from dessin.trust.explain.view import METHOD_NAMES, explain_page, worded

DEFAULT = ("gradcam",)


def explain(
    run: Annotated[str | Path, "a path or hub:OWNER/NAME"],
    *,
    out: str | Path,
    images: str | Path | Sequence[str | Path] = (),
    methods: str | Sequence[str] | None = None,
    data: str | Path | None = None,
    split: str | Path | None = None,
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
) -> Explanation:
    """Show where a model looks by a map over each drawing, and how faithful these maps are.

    Writes `maps/` (a picture a drawing), `maps.csv`, `faithfulness.json` and `.csv`, and `index.html`. The
    class that is named is explained, and beside it the right one where the answer is known to be wrong.

    Args:
        run: A run, a bundle or a committee.
        out: A new folder.
        images: Files or folders; by default validation drawings.
        methods: Of gradcam, hirescam and occlusion; by default gradcam.
        data: The collection; by default the one that the model was trained on.
        split: The split file; by default the one beside the model.
        executor: This machine, or all nodes of a Ray cluster with the same bytes: each task is 32 drawings.
            Nodes read them at the same path.
        address: The running cluster, `auto` or `host:port`; by default a Ray of this machine alone.

    Raises:
        DessinError: no model, an unknown method, data that changed, not one readable image, models whose maps
            do not lie over one another, no such cluster, or a folder `out` that is in use.
    """
    mapper = choose_mapper(executor, address, "explain", out, gpu=True, threads=torch.get_num_threads())
    asked = tuple(dict.fromkeys(DEFAULT if methods is None else names(methods)))
    for method in asked:
        if method not in METHODS:
            raise unknown("method", method, METHODS)
    if not asked:
        raise DessinError("No method was named.", allowed=f"Methods are {', '.join(METHODS)}.")
    if images:
        # These need no collection beside the model.
        loaded, seed, collection = load_model(Path(run)), 0, ""
        drawings = given_drawings(as_paths(images))
    else:
        subject = read_subject(Path(run), data, split)
        loaded, seed, drawings = subject.loaded, subject.seed, validation_drawings(subject)
        collection = subject.collection
    explainer = Explainer(loaded, torch.device(choose_device().value))
    reader = Reader(explainer.images, explainer.device)
    folder = Path(out)
    with result_folder(folder, what="an explanation") as part:
        maps = part / MAPS_FOLDER
        maps.mkdir()
        with nullcontext() if mapper is None else mapper.connection():
            work = partial(explain_batch, methods=asked)
            batches = each_batch(explainer, reader, drawings, work, "explaining", mapper)
            rows = tuple(row for batch in batches for row in batch.write(maps))
            if not rows:
                raise _nothing(reader, len(drawings))
            write_rows(part, rows)
            readable = [drawing for drawing in drawings if drawing.image_id not in reader.refused]
            models = max(len(leaves(explainer.root(fold))) for fold in {drawing.fold for drawing in readable})
            sample = seeded_sample(readable, seed, models)
            faithfulness = measure_faithfulness(explainer, reader, sample, asked, seed, mapper)
        if faithfulness is None:
            raise _nothing(reader, len(drawings))
        found = Explanation(rows, worded(faithfulness), dict(reader.refused))
        write_faithfulness(part, found.faithfulness)
        page = explain_page(part, found, loaded.committee, Path(run), collection)
        write_page(part / PAGE_FILE, page)
    _say(found, folder)
    return found.with_page(page, folder)


def _nothing(reader: Reader, drawings: int) -> DessinError:
    image_id, reason = next(iter(reader.refused.items()))
    return DessinError(
        f"Not one of {drawings:,} images can be read; the first is {image_id}: {reason}.",
        allowed=f"Images are {FORMATS}.",
    )


def _say(found: Explanation, folder: Path) -> None:
    drawings = counted(found.drawings, "drawing")
    say(tr("{drawings} explained; the maps are in {folder}", drawings=drawings, folder=folder / MAPS_FOLDER))
    for method in found.faithfulness.methods:
        say(f"{METHOD_NAMES[method.method]}: {method.verdict}. {method.text}")
    empty = Counter(row.method for row in found.rows if row.centre is None)
    for name, count in empty.items():
        say(
            tr_n(
                "{method}: {n} map is empty: nothing there speaks for the class",
                "{method}: {n} maps are empty: nothing there speaks for the class",
                count,
                method=METHOD_NAMES[name],
            )
        )
    if found.refused:
        named = [f"{image_id} ({reason})" for image_id, reason in found.refused.items()]
        warn(
            tr_n(
                "{n} image could not be read and has no map: {names}",
                "{n} images could not be read and have no map: {names}",
                len(named),
                names=listing(named),
            )
        )
    say(tr("page: {file}", file=folder / PAGE_FILE))
