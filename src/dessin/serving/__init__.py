"""Using a trained model: predictions, submissions, exported models, the HTTP API."""
