"""Emergency levels: judged from incidents, with phone trees, reports and stand-down."""
