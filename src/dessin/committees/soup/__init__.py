"""The verb `soup`: weights averaged into one model, and what that gains on drawings it was not chosen by."""
