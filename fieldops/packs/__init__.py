"""What a tablet needs to draw and to reckon with its district where there is no signal."""
