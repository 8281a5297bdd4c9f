"""A model as a web page that needs no server: the page, and the runtime that computes in the browser."""
