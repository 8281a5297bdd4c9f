from dessin.trackers import Setting, TrackerSpec

DIARY = TrackerSpec("diary", "dessin_crayons.diary:Diary", (Setting("title", "Diary"),))
