"""The robustness suite: 16 corruptions of a drawing in five strengths, fixed, and what a model keeps in them.

The idea of a fixed table of corruptions and strengths is that of Hendrycks and Dietterich, "Benchmarking
neural network robustness to common corruptions and perturbations" (2019); these are those of drawings. It is
code of its own and shares nothing with `dessin.augmentation`: a model that was trained with the very functions it
is measured by would grade its own homework.
"""
