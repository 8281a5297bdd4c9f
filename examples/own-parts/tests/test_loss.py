from dessin.testing import check_loss


def test_the_loss_holds() -> None:
    check_loss("poly(1.0)")
