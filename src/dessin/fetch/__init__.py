"""Public collections of drawings, fetched politely into class folders with their licence beside."""
