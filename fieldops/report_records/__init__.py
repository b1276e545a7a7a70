"""Reports as they are kept, and what may become of one: linked, answered, called back."""
