"""Work on drawings batch by batch, in this process or by the workers of a mapper, in the same batches."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

import torch

from dessin.answers.committee import LoadedCommittee
from dessin.errors import DessinError
from dessin.parallel.mapper import Mapper
from dessin.progress import track
from dessin.training.device import choose_device
from dessin.trust.explain.explainer import Explainer
from dessin.trust.explain.sources import Batch, Drawing, Reader, in_chunks

Made = TypeVar("Made")
Work = Callable[[Explainer, Batch], Iterable[Made]]


def each_batch(
    explainer: Explainer,
    reader: Reader,
    drawings: Sequence[Drawing],
    work: Work[Made],
    label: str,
    mapper: Mapper | None = None,
) -> Iterator[Made]:
    """What `work` makes of each batch that has a readable drawing; `reader` notes what is refused.

    With a `label` progress is shown.
    """
    if mapper is None:
        for batch in reader.batches(drawings, label):
            yield from work(explainer, batch)
        return
    from dessin.answers.sent import Sent

    chunks = in_chunks([replace(drawing, path=drawing.path.absolute()) for drawing in drawings])
    function = Sent(_Elsewhere(explainer.loaded, work))
    found = zip(chunks, mapper.map(function, chunks, together=1), strict=True)
    for _, (made, refused) in track(
        found, len(drawings) if label else 0, label, size=lambda each: len(each[0])
    ):
        reader.refused.update(refused)
        yield from made


class _Elsewhere(Generic[Made]):
    """The work of a process that makes the models ready once, and reads the drawings from the same paths."""

    def __init__(self, loaded: LoadedCommittee, work: Work[Made]) -> None:
        self.loaded, self.work = loaded, work
        self._explainer: Explainer | None = None

    def __call__(self, drawings: Sequence[Drawing]) -> tuple[list[Made], dict[str, str]]:
        for drawing in drawings:
            if not drawing.path.is_file():
                raise DessinError(
                    f"{socket.gethostname()} has no {drawing.path}.",
                    do="With Ray, every node needs the drawings at the same path.",
                )
        if self._explainer is None:
            self._explainer = Explainer(self.loaded, torch.device(choose_device().value))
        reader = Reader(self._explainer.images, self._explainer.device)
        made = [one for batch in reader.batches(drawings) for one in self.work(self._explainer, batch)]
        return made, reader.refused
