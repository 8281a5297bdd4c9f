"""What goes with failure: properties of drawings, and classes that are worse than the rest."""
