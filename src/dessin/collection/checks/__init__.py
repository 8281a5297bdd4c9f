"""The checks of an audit: one small class each, registered under the issue that it reports."""
