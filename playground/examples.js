// What the page starts with, and steps to take from there. Each step is a whole text.
const doctype = (fields) => `from decimal import Decimal
from framework_m_core.domain.base_doctype import BaseDocType, Field


class Customer(BaseDocType):
${fields.map((line) => `    ${line}\n`).join("")}`;

const model = (fields) => `from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Customer(Base):
    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
${fields.map((line) => `    ${line}\n`).join("")}`;

const D = {
  title: "title: str",
  email: "email: str | None = Field(default=None, max_length=140)",
  required: "email: str = Field(max_length=140)",
  credit: 'credit: Decimal = Decimal("0")',
  phone: "phone: str | None = None",
};
const M = {
  title: "title: Mapped[str]",
  email: "email: Mapped[str | None]",
  required: "email: Mapped[str]",
  credit: 'credit: Mapped[int] = mapped_column(server_default="0")',
  phone: "phone: Mapped[str | None]",
};

const steps = (make, f) => [
  { name: "Start", says: "One class, no database yet. Sync makes its table.", text: make([f.title, f.email]) },
  {
    name: "Add fields",
    says: "New fields are safe: sync adds them at once, and rows keep what they have.",
    text: make([f.title, f.email, f.credit, f.phone]),
  },
  {
    name: "Require a field",
    says: "Rows without an email would break this, so sync withholds it once there are rows.",
    text: make([f.title, f.required, f.credit, f.phone]),
  },
  {
    name: "Remove a field",
    says: "Its values would be lost, so sync never does it. A revision can.",
    text: make([f.title, f.required, f.credit]),
  },
];

export const EXAMPLES = { doctype: steps(doctype, D), sqlalchemy: steps(model, M) };
export const kindOf = (text) => (text.includes("framework_m_core") ? "doctype" : "sqlalchemy");
