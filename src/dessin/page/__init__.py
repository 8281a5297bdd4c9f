"""Pages and texts: templates, pictures, dots, tables in a terminal, and how numbers are written."""
