"""Who outside the desk was told what, by whom and how: with a receipt."""
