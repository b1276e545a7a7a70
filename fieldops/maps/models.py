"""What the map keeps besides the network: words to search in, written anew by the worker."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Double, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base


class SearchText(Base):
    """What one thing can be found by; no personal data, only its id, address or name."""

    __tablename__ = "search_text"
    __table_args__ = (
        Index(
            "ix_search_text_words",
            "words",
            postgresql_using="gin",
            postgresql_ops={"words": "gin_trgm_ops"},
        ),
    )

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(Text(collation="C"), index=True)
    words: Mapped[str] = mapped_column(Text)
    """Id and label in small letters, then the label in pinyin: its initials, and in full."""
    lon: Mapped[float] = mapped_column(Double)
    lat: Mapped[float] = mapped_column(Double)


class SearchState(Base):
    """The one row that says of which drawing of the network the words are."""

    __tablename__ = "search_state"
    __table_args__ = (CheckConstraint("is_only", name="is_only"),)

    is_only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    geometry_revision: Mapped[int] = mapped_column(BigInteger)
