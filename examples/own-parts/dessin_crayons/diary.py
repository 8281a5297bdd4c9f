from collections.abc import Mapping
from pathlib import Path

from dessin.runs.tracking.messages import Begin, Begun, End, Point


class Diary:
    """Writes a line an epoch into RUN/tracking/diary.md."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._file, self._title = folder / "diary.md", settings["title"]

    def begin(self, message: Begin, identity: str, points: int) -> Begun:
        continues = bool(identity) and self._file.is_file()
        if not continues:
            self._file.write_text(f"# {self._title}: {message.name}\n", encoding="utf-8")
        return Begun("diary.md", "tracking/diary.md", continues)

    def point(self, message: Point) -> None:
        self._write(f"epoch {message.step}", message.values)

    def end(self, message: End) -> None:
        self._write(message.status, message.values)

    def interrupted(self) -> None:
        """Nothing is open."""

    def _write(self, what: str, values: Mapping[str, float]) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"- {what}: {', '.join(f'{name} {value:.3f}' for name, value in values.items())}\n")
