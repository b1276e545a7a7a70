"""Pages for anybody: report a leak."""
