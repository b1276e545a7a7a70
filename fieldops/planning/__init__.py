"""What would hurt most if it failed."""
