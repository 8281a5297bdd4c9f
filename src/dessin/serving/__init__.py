"""Using a trained model: predictions for files and folders, contest submissions."""
