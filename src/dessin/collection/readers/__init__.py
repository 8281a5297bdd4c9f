"""Reading a collection: class folders, a CSV or a contest folder, detected and said."""
