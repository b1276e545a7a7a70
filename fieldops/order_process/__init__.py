"""The process by which a work order goes, as data that a manager changes."""
