"""TensorBoard: event files in the run's own folder, and its HParams and Text pages."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dessin.runs.tracking.messages import Begin, Begun, End, Point, Scalar

_FOLDER = "tensorboard"
_TEXT_LIMIT = 500


class TensorBoard:
    """Writes scalars by epoch; parameters go to the HParams page, and with the tags to the Text page."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:  # noqa: ARG002 (it has no settings)
        self._folder = folder / _FOLDER
        self._name = folder.resolve().parent.name
        self._writers = import_module("tensorboard.summary.writer.event_file_writer")
        self._events = import_module("tensorboard.compat.proto.event_pb2")
        self._summaries = import_module("tensorboard.compat.proto.summary_pb2")
        self._tensors = import_module("tensorboard.compat.proto.tensor_pb2")
        self._types = import_module("tensorboard.compat.proto.types_pb2")
        self._text_metadata = import_module("tensorboard.plugins.text.metadata")
        self._hparams = import_module("tensorboard.plugins.hparams.plugin_data_pb2")
        self._hparams_metadata = import_module("tensorboard.plugins.hparams.metadata")
        self._last_step = 0

    def begin(self, message: Begin, identity: str, points: int) -> Begun:  # noqa: ARG002 (W&B's)
        continues = bool(identity) and self._folder.is_dir()
        self._writer: Any = self._writers.EventFileWriter(str(self._folder))
        if not continues:
            self._write_table("recipe", message.parameters)
            self._write_table("made_from", message.tags)
            self._write(self._session_start(message.parameters), 0)
        note = f"event files in tracking/{_FOLDER}; see them with: tensorboard --logdir RUNS"
        return Begun(_FOLDER, note, continues)

    def point(self, message: Point) -> None:
        self._last_step = max(self._last_step, message.step)
        self._write_scalars(message.values, message.step)

    def end(self, message: End) -> None:
        self._write_scalars(message.values, self._last_step)
        self._write_table("result", message.tags)
        statuses = import_module("tensorboard.plugins.hparams.api_pb2")
        good = message.status == "finished"
        status = statuses.STATUS_SUCCESS if good else statuses.STATUS_FAILURE
        data = self._hparams.HParamsPluginData(
            session_end_info=self._hparams.SessionEndInfo(status=status, end_time_secs=time.time())
        )
        self._write(self._session(self._hparams_metadata.SESSION_END_INFO_TAG, data), 0)
        self._writer.close()

    def interrupted(self) -> None:
        self._writer.close()

    def _write_scalars(self, values: Mapping[str, float], step: int) -> None:
        summary = self._summaries.Summary(
            value=[self._summaries.Summary.Value(tag=tag, simple_value=v) for tag, v in values.items()]
        )
        self._write(summary, step)

    def _write_table(self, tag: str, values: Mapping[str, object]) -> None:
        """A table on the Text page. (The library's own function for it needs TensorFlow.)"""
        tensor = self._tensors.TensorProto(
            dtype=self._types.DT_STRING,
            string_val=[_table(values).encode()],
            tensor_shape={"dim": [{"size": 1}]},
        )
        metadata = self._text_metadata.create_summary_metadata(display_name="", description="")
        self._write(self._one_value(tag, metadata, tensor), self._last_step)

    def _write(self, summary: Any, step: int) -> None:
        """One event, in the file when this returns."""
        self._writer.add_event(self._events.Event(wall_time=time.time(), step=step, summary=summary))
        self._writer.flush()

    def _one_value(self, tag: str, metadata: Any, tensor: Any) -> Any:
        return self._summaries.Summary(
            value=[self._summaries.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)]
        )

    def _session_start(self, parameters: Mapping[str, Scalar]) -> Any:
        info = self._hparams.SessionStartInfo(group_name=self._name, start_time_secs=time.time())
        for name, value in parameters.items():
            if isinstance(value, bool):
                info.hparams[name].bool_value = value
            elif isinstance(value, (int, float)):
                info.hparams[name].number_value = value
            else:
                info.hparams[name].string_value = str(value)[:_TEXT_LIMIT]
        data = self._hparams.HParamsPluginData(session_start_info=info)
        return self._session(self._hparams_metadata.SESSION_START_INFO_TAG, data)

    def _session(self, tag: str, data: Any) -> Any:
        metadata = self._hparams_metadata.create_summary_metadata(data)
        return self._one_value(tag, metadata, self._hparams_metadata.NULL_TENSOR)


def _table(values: Mapping[str, object]) -> str:
    """Markdown, with what would break a row of it written otherwise."""
    rows = [f"| {key} | `{_cell(value)}` |" for key, value in values.items()]
    return "\n".join(["| key | value |", "|---|---|", *rows])


def _cell(value: object) -> str:
    return str(value).replace("|", "¦").replace("`", "'").replace("\n", " ")
