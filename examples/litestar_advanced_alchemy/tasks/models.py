"""The tables."""

from datetime import date

from advanced_alchemy.base import UUIDAuditBase
from sqlalchemy.orm import Mapped, mapped_column


class Task(UUIDAuditBase):
    __tablename__ = "task"

    title: Mapped[str]
    due: Mapped[date | None]
    done: Mapped[bool] = mapped_column(default=False)
