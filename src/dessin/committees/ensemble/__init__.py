"""The verb `ensemble`: members chosen by a rule, and what such a choice gives on drawings it did not see."""
