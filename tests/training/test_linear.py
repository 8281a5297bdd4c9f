from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from dessin.training import linear
from dessin.training.linear import fit_logistic, fit_ridge, principal_axes, standardise


def standardised(images: int, width: int):
    """Features (N, D) with their own means and scales, labels of 4 classes, and the features standardised."""
    random = np.random.default_rng(0)
    labels = (np.arange(images) // 3) % 4
    apart = random.normal(size=(4, width))[labels] + 0.6 * random.normal(size=(images, width))
    features = (apart * np.exp(random.normal(size=width)) + 5 * random.normal(size=width)).astype(np.float32)
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    return torch.from_numpy(features), torch.from_numpy(labels), standard


@pytest.mark.parametrize(("images", "width"), [(120, 20), (30, 60)])
def test_ridge_is_the_closed_form(images: int, width: int) -> None:
    features, labels, standard = standardised(images, width)
    data = standardise(features)
    weight, bias = data.fold_back(*fit_ridge(data, labels, 4, 0.3))
    reference = Ridge(alpha=0.3 * images).fit(standard, np.eye(4)[labels])
    found = features.double() @ weight.T + bias
    np.testing.assert_allclose(found.numpy(), reference.predict(standard), atol=1e-4)


@pytest.mark.parametrize(("images", "width"), [(120, 20), (30, 60)])
def test_logistic_is_the_usual_one(images: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_ITERATIONS", 500)
    monkeypatch.setattr(linear, "_PROGRESS", 0.0)
    features, labels, standard = standardised(images, width)
    axes = principal_axes(features)
    weight, bias = axes.fold_back(*fit_logistic(axes, labels, 4, 0.01))
    logits = features.double() @ weight.T + bias
    reference = LogisticRegression(C=1 / (0.01 * images), tol=1e-8, max_iter=5000).fit(standard, labels)
    np.testing.assert_allclose(logits.softmax(dim=1).numpy(), reference.predict_proba(standard), atol=2e-3)
