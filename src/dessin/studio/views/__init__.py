"""A module a page, and beside them what needs no Streamlit (a folder `pages` would be Streamlit's own)."""
