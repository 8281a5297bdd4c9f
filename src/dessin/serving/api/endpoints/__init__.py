"""The endpoints of the API, each with its part of the OpenAPI; `app.ENDPOINTS` lists them."""
