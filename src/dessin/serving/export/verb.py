"""The verb `export`: a model as ONNX, in a folder that every verb which asks for answers takes as it is, and
as a web page."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from dessin.answers.committee import (
    SPLIT_NAME,
    LoadedCommittee,
    find_home,
    find_model,
    load_model,
    write_committee,
)
from dessin.answers.inference import OpenStore
from dessin.answers.tree import ModelNode
from dessin.errors import DessinError
from dessin.files import atomic_path
from dessin.folders import result_folder
from dessin.images.paths import image_path
from dessin.language import tr, tr_n
from dessin.models.bundle import write_onnx_bundle
from dessin.models.card import CARD_FILE, ONNX_FILE
from dessin.models.network import OnnxNetwork
from dessin.page.numbers import number, short
from dessin.progress import say, track, warn
from dessin.runs.subject import Subject, read_subject
from dessin.serving.export.convert import import_onnx, to_int8, to_onnx
from dessin.serving.export.measure import agreement, calibration_drawings, check_drawings, int8_price
from dessin.serving.export.result import TOLERANCE, Agreement, Exported
from dessin.serving.export.web.build import PAGE_FILE, check_for_page, write_web_page
from dessin.serving.export.web.runtime import web_runtime
from dessin.serving.look import recorded_data, training_look


def export(
    model: Annotated[str | Path, "a path or hub:OWNER/NAME"],
    *,
    out: str | Path | None = None,
    page: str | Path | None = None,
    int8: bool = False,
    runtime: str | Path | None = None,
    data: str | Path | None = None,
    split: str | Path | None = None,
) -> Exported:
    """Write a model as ONNX, checked against torch on real drawings before it is kept, or as a web page.

    Every model is compared on drawings of its own validation fold. A float one that differs by more than 1e-4
    in a probability, or in what it names, is not written. An int8 one always differs; what that costs is
    measured, with its interval, and written to `export.json`.

    The page needs no server: `index.html` holds the model and what computes it in the browser, and works from
    a memory stick and without a network. What is drawn on it stays on the device that shows it.

    Args:
        model: A run, a bundle or a committee; for `page` also what was exported before.
        out: A new folder: `bundle.json` and `model.onnx`, or a committee of such.
        page: A new folder for the page.
        int8: In 8-bit integers in place of float32, with ranges from training drawings.
        runtime: The folder with ONNX Runtime for browsers, where npm cannot fetch it.
        data: The collection; by default the one that the model was trained on.
        split: The split file; by default the one beside the model.

    Raises:
        DessinError: no such model, one that is exported already, no data to check it on, a network that ONNX
            cannot express or that answers otherwise there, an `out` or `page` that is in use, a model that a
            page cannot do, or no runtime for it.
    """
    if out is None and page is None:
        raise DessinError("Neither --out nor --page says where to write.", do="Give one of them, or both.")
    import_onnx()
    given = Path(model)
    with ExitStack() as stack:
        ready = False
        if page is not None:
            ready = _is_ready(load_model(given), asks_more=out is not None or int8)
            program = web_runtime(None if runtime is None else Path(runtime))
            # At once: that nothing can be written there is not to be said after minutes.
            part = stack.enter_context(result_folder(Path(page), what="a page"))
        if ready:
            folder = find_model(given)
            outcome = Exported.find(folder) or _uncompared(folder)
        else:
            hidden = stack.enter_context(tempfile.TemporaryDirectory())
            folder = Path(hidden) / "onnx" if out is None else Path(out)
            outcome = _export(given, folder, int8=int8, data=data, split=split)
        if page is not None:
            loaded = load_model(folder)
            places = [Path(data)] if data else recorded_data(find_home(given), loaded.committee)
            look = training_look(loaded.committee, places, loaded.page)
            if not look.n:
                say(tr("The training drawings cannot be measured, so the page draws black on white."))
            if outcome.precision == "int8":
                warn(tr("A browser rounds int8 otherwise: single answers of the page may differ."))
            write_web_page(part, loaded, _onnx_files(folder, loaded), look, program)
    if out is not None:
        size = sum(file.stat().st_size for file in folder.rglob(ONNX_FILE))
        say(tr("exported to {folder} ({size} MiB)", folder=folder, size=number(size / 2**20, 1)))
    if page is not None:
        size = sum(file.stat().st_size for file in Path(page).iterdir())
        say(
            tr(
                "page in {folder} ({size} MiB): open {file}",
                folder=page,
                file=PAGE_FILE,
                size=number(size / 2**20, 1),
            )
        )
    return outcome


def _onnx_files(folder: Path, loaded: LoadedCommittee) -> dict[str, bytes]:
    alone = (folder / CARD_FILE).is_file()
    places = {name: folder if alone else image_path(folder, name) for name in loaded.bundles}
    return {name: (place / ONNX_FILE).read_bytes() for name, place in places.items()}


def _uncompared(folder: Path) -> Exported:
    """Of a model whose `export.json` did not come along."""
    bundle = next(iter(load_model(folder).bundles.values()))
    return Exported(precision=bundle.card.precision, agreement={})


def _is_ready(loaded: LoadedCommittee, *, asks_more: bool) -> bool:
    """Whether a model was exported before, and goes into its page as it is."""
    check_for_page(loaded)
    bundles = loaded.bundles.values()
    if asks_more or not all(bundle.card.exported for bundle in bundles):
        for bundle in bundles:
            bundle.with_weights("another export")
        return False
    return True


def _export(
    model: Path, folder: Path, *, int8: bool, data: str | Path | None, split: str | Path | None
) -> Exported:
    subject = read_subject(model, data, split)
    for bundle in subject.loaded.bundles.values():
        bundle.with_weights("another export")
    with result_folder(folder, what="an export") as part:
        alone = isinstance(subject.loaded.committee.root, ModelNode)
        bundles, open_store = subject.loaded.bundles, subject.inputs.opener()
        found: dict[str, Agreement] = {}
        for name in track(bundles, len(bundles), "Exporting", unit="models"):
            place = part if alone else image_path(part, name)
            found[name] = _write(subject, name, place, open_store, int8=int8)
        if not alone:
            _write_committee(subject, part)
        price = int8_price(subject, load_model(part)) if int8 else None
        outcome = Exported(precision="int8" if int8 else "float32", agreement=found, price=price)
        outcome.write(part)
    return outcome.with_words(tr("Export"), *_say(outcome))


def _write(subject: Subject, name: str, folder: Path, open_store: OpenStore, *, int8: bool) -> Agreement:
    """Write a bundle's ONNX file with its card; how far it agrees with the bundle."""
    bundle = subject.loaded.bundles[name]
    classifier = bundle.with_weights("an export").to("cpu").eval()
    drawings = check_drawings(subject, bundle.card, open_store)
    card = bundle.card.model_copy(update={"file": ONNX_FILE, "precision": "int8" if int8 else "float32"})
    model = to_onnx(classifier, card, drawings)
    found = agreement(classifier, OnnxNetwork(model), drawings, card.temperature)
    if not found.exact:
        raise DessinError(
            f"The ONNX file of {card.backbone} does not answer as torch does: {found.words}.",
            allowed=f"Probabilities may differ by {short(TOLERANCE)}.",
            do="Serve the bundle itself; it is not exported.",
        )
    if int8:
        model = to_int8(model, card, calibration_drawings(subject, card, open_store))
        found = agreement(classifier, OnnxNetwork(model), drawings, card.temperature)
    provenance = {
        **card.provenance,
        "exported_from": bundle.card.digests["weights"],
        "export_check": f"against torch: {found.words}",
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_onnx_bundle(folder, model, card.model_copy(update={"provenance": provenance}))
    return found


def _write_committee(subject: Subject, folder: Path) -> None:
    split = None if subject.home is None else subject.home / SPLIT_NAME
    if split is not None and split.is_file():
        with atomic_path(folder / SPLIT_NAME) as temporary:
            shutil.copyfile(split, temporary)
    write_committee(folder, subject.loaded.committee)


def _say(outcome: Exported) -> tuple[str, str]:
    """Say what came out; returns the lines."""
    worst = max(outcome.agreement.values(), key=lambda found: found.largest_difference)
    told = tr_n(
        "{precision} against torch, the model: {words}",
        "{precision} against torch, the worst of {n} models: {words}",
        len(outcome.agreement),
        precision=outcome.precision,
        words=worst.words,
    )
    say(told)
    if outcome.price is not None:
        say(outcome.price.words)
        if outcome.price.loses_much:
            warn(tr("int8 loses more than 2 points of accuracy for certain; the float export loses nothing."))
    elif outcome.precision == "int8":
        warn(tr("What int8 costs is unknown: no drawing was left out of the training to measure it on."))
    return told, outcome.price.words if outcome.price else ""
