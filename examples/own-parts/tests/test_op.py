from dessin.testing import check_op


def test_the_op_holds() -> None:
    check_op("crayon(0.6)")
