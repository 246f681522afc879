"""The tables."""

from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "product"
    __table_args__ = (CheckConstraint("price >= 0", name="price_not_negative"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    price: Mapped[Decimal]


class Stock(Base):
    __tablename__ = "stock"

    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    pieces: Mapped[int] = mapped_column(default=0)
