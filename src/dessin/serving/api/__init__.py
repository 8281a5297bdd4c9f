"""A model behind HTTP: nothing that a client sends may stop it, and every refusal says what to do."""
