from dessin.testing import check_corruption


def test_the_corruption_holds() -> None:
    check_corruption("coffee")
