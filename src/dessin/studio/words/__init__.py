"""The studio's interface texts, a module a language, with the same keys."""
