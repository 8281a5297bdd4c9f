"""The Korean interface texts of the studio."""

from __future__ import annotations

from collections.abc import Mapping

KOREAN: Mapping[str, str] = {
    "frame.language": "언어",
    "frame.data": "데이터",
    "frame.runs": "학습 기록",
    "frame.studies": "비교 실험",
    "frame.mistakes": "오답",
    "frame.try": "직접 그리기",
    "frame.rescan": "다시 찾기",
    "frame.rescan_help": "이 페이지를 연 뒤에 생긴 파일을 찾습니다.",
    "choose.page": "쪽 (전체 {pages}쪽)",
    "job.stays": "끝날 때까지 이 페이지에 머물러 주십시오.",
    "data.none": (
        "이곳에는 데이터가 없습니다. 클래스마다 폴더가 하나씩 있는 폴더, 라벨이 적힌 CSV, 또는 대회 "
        "폴더가 필요합니다."
    ),
    "data.collection": "데이터 모음",
    "data.audit": "점검 결과",
    "data.curation": "정리 파일",
    "data.curation_says": (
        "{file}에 {rows:,}개의 행이 있습니다. 아래에서 표시하면 바로 저장되며, 그림 파일은 바뀌지 않습니다."
    ),
    "data.show": "보기",
    "data.classes": "클래스",
    "data.drawings": "그림",
    "data.a_class": "클래스당 그림",
    "data.test": "시험용 그림",
    "data.skipped": "건너뛴 파일",
    "data.no_audit": "아직 점검하지 않은 데이터입니다. 중복, 라벨 충돌, 손상된 파일을 알 수 없습니다.",
    "data.make_audit": "데이터 점검하기",
    "data.auditing": "모든 그림을 살펴보고 있습니다",
    "data.class": "클래스",
    "data.class_says": "그림 {count:,}장 가운데 {dropped:,}장을 제외하도록 표시했습니다.",
    "data.is_drop": "제외",
    "data.is_keep": "유지",
    "data.is_relabel": "라벨 변경: {label}",
    "data.duplicates": "중복",
    "data.conflicts": "라벨 충돌",
    "data.suspects": "의심스러운 라벨",
    "data.others": "그 밖의 문제",
    "data.explain_duplicates": (
        "같은 그림이 두 번 나옵니다. 돌리거나 뒤집은 것도 포함합니다. 둘 중 하나면 충분합니다."
    ),
    "data.explain_conflicts": "같은 그림에 서로 다른 라벨이 붙어 있습니다. 많아야 하나만 맞습니다.",
    "data.explain_suspects": (
        "그림을 학습하지 않은 모델이 라벨을 의심합니다. 오른쪽은 닮았다고 본 클래스의 전형적인 "
        "그림입니다. 라벨은 맞고 그림만 특이한 경우도 많습니다."
    ),
    "data.explain_others": (
        "손상되거나 빈 파일, 너무 흐린 그림, 여러 물체가 있는 그림, 크기가 이상한 그림입니다."
    ),
    "data.example": "예시",
    "data.drop": "제외",
    "data.drop_one": "{place}번 그림 제외",
    "data.ticked_above": "{place}번 그림은 위에서 표시할 수 있습니다.",
    "issue.unreadable": "읽을 수 없음",
    "issue.exact_duplicate": "완전히 같은 그림",
    "issue.near_duplicate": "거의 같은 그림",
    "issue.label_conflict": "라벨 충돌",
    "issue.suspect_label": "의심스러운 라벨",
    "issue.blank": "빈 그림",
    "issue.low_contrast": "흐림",
    "issue.several_objects": "여러 물체",
    "issue.odd_size": "특이한 크기",
    "issue.odd_aspect": "특이한 비율",
    "runs.none": "이곳에는 학습 기록이 없습니다. dessin train으로 학습하면 생깁니다.",
    "runs.count": "학습 기록 {total:,}개 가운데 {shown:,}개",
    "runs.where": "조건",
    "runs.more": "정렬과 열",
    "runs.sort": "정렬 기준",
    "runs.down": "큰 값부터",
    "runs.columns": "열 (고르지 않으면 기본 열)",
    "runs.choose": "살펴볼 학습 기록 (첫 번째가 비교의 기준입니다)",
    "runs.two_cards": "카드와 비교는 처음 두 개만 보여 줍니다.",
    "runs.curves": "학습 곡선",
    "runs.accuracy": "검증 정확도",
    "runs.loss": "검증 손실",
    "runs.epoch": "에폭",
    "runs.no_curve": (
        "{name}에는 학습 곡선이 없습니다. 에폭 단위로 학습하지 않았거나 아직 시작하지 않았습니다."
    ),
    "runs.reading": "측정 결과를 읽고 있습니다",
    "runs.cards": "신뢰 카드",
    "runs.unmeasured": "측정하지 않음",
    "runs.untested": "시험하지 않은 것",
    "runs.comparison": "그림별 비교",
    "runs.on": (
        "그림 {images:,}장, 그룹 {groups:,}개 기준입니다. 단위는 퍼센트포인트이며 95% 신뢰구간입니다."
    ),
    "verdict.better": "더 좋음",
    "verdict.worse": "더 나쁨",
    "verdict.no difference": "차이 없음",
    "verdict.cannot tell": "알 수 없음",
    "verdict.no result": "결과 없음",
    "studies.none": "이곳에는 비교 실험이 없습니다. dessin study로 만들 수 있습니다.",
    "studies.study": "비교 실험",
    "studies.gain found": "효과가 있었습니다.",
    "studies.no gain": "효과가 없었습니다.",
    "studies.undecided": "결론을 내릴 수 없습니다.",
    "studies.unfinished": "아직 끝나지 않았습니다.",
    "studies.level": "수준",
    "studies.accuracy": "정확도",
    "studies.difference": "기준과의 차이 (퍼센트포인트)",
    "studies.verdict": "판정",
    "studies.base": "기준",
    "studies.its_base": "각 기준",
    "studies.forest": (
        "{against} 대비 정확도 차이와 95% 신뢰구간입니다 (퍼센트포인트). 띠는 {matters}보다 작아서 "
        "중요하지 않은 차이를 나타냅니다."
    ),
    "studies.effects": "요인별 주효과",
    "studies.power": "이 실험으로 알아낼 수 있는 차이",
    "studies.evidence": "얼마나 확실한지",
    "studies.way": "방법",
    "studies.answer": "결과",
    "studies.lost": "결과가 없는 학습",
    "studies.run": "학습",
    "studies.status": "상태",
    "studies.reason": "이유",
    "mistakes.none": "이곳에는 오답 분석이 없습니다.",
    "mistakes.atlas": "오답 분석",
    "mistakes.model": "모델",
    "mistakes.accuracy": "정확도",
    "mistakes.count": "오답",
    "mistakes.no_drawings": "이 분석에 쓰인 그림이 작업 폴더 안에 없어 보여 줄 수 없습니다.",
    "mistakes.pairs": "무엇을 무엇으로 잘못 보는지",
    "mistakes.pair": "{true} → {taken}: 그림 {n:,}장 가운데 {count:,}장",
    "mistakes.others": "비교: {taken} 그림",
    "mistakes.sure": "확신 {probability}, 정답은 {rank}순위",
    "mistakes.maps_of": "지도를 그릴 모델",
    "mistakes.show_maps": "두 클래스의 근거 보기",
    "mistakes.maps_note": (
        "따뜻한 색이 그 클래스의 근거가 된 곳입니다. 지도는 모델이 어디를 보았는지 보여 줄 뿐 이유를 "
        "설명하지 않으며, 이 그림들로 학습하지 않은 모델일 때만 믿을 수 있습니다."
    ),
    "mistakes.mapping": "지도를 만들고 있습니다",
    "mistakes.speaks_for": "{name}의 근거",
    "mistakes.make_one": "다른 모델의 오답 분석 만들기",
    "mistakes.make": "분석하기",
    "mistakes.making": "학습하지 않은 그림을 모델에 묻고 있습니다",
    "runs.run": "학습",
}
