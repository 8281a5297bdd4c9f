"""The report of an audit: one HTML file that carries its plots and pictures with it."""

from __future__ import annotations

from dessin.collection.audit_report.page import render_report

__all__ = ["render_report"]
