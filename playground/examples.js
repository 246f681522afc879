// What the page starts with, and steps to take from there. Each step is a whole set of files.
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
  city: "city: str | None = None",
  town: "town: str | None = None",
  email: "email: str = Field(max_length=140)",
  credit: 'credit: Decimal = Decimal("0")',
  phone: "phone: str | None = None",
  second: `from framework_m_core.domain.base_doctype import BaseDocType, Field


class Campaign(BaseDocType):
    title: str


class Lead(BaseDocType):
    customer: str = Field(json_schema_extra={"link": "Customer"})
    campaign: str | None = Field(default=None, json_schema_extra={"link": "Campaign"})
    note: str | None = None
`,
};
const M = {
  title: "title: Mapped[str]",
  city: "city: Mapped[str | None]",
  town: "town: Mapped[str | None]",
  email: "email: Mapped[str]",
  credit: 'credit: Mapped[int] = mapped_column(server_default="0")',
  phone: "phone: Mapped[str | None]",
  second: `from shop.models import Base
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column


class Campaign(Base):
    __tablename__ = "campaign"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(unique=True)


class Lead(Base):
    __tablename__ = "lead"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"))
    note: Mapped[str | None]
`,
};

const steps = (make, f) => [
  { name: "Start", says: "One model; its table has three rows.", files: { shop: make([f.title, f.city]) } },
  {
    name: "Require a field",
    says: "The rows have no email, so sync withholds it. Create a revision, give the rows a value in it, and run it.",
    files: { shop: make([f.title, f.city, f.email]) },
  },
  {
    name: "Add fields",
    says: "These are safe: sync adds them at once, and rows keep their values.",
    files: { shop: make([f.title, f.city, f.email, f.credit, f.phone]) },
  },
  {
    name: "Rename a field",
    says: "city goes and town comes. To sync that is a removal and an addition; choose the rename to keep the values.",
    files: { shop: make([f.title, f.town, f.email, f.credit, f.phone]) },
  },
  {
    name: "Second app",
    says: "Two more models in an app of their own, with keys to the first.",
    files: { shop: make([f.title, f.town, f.email, f.credit, f.phone]), crm: f.second },
  },
  {
    name: "Remove a field",
    says: "Its values would be lost, so sync never does it. A revision can.",
    files: { shop: make([f.title, f.town, f.email, f.credit]), crm: f.second },
  },
];

export const APPS = ["shop", "crm"];
export const EXAMPLES = { doctype: steps(doctype, D), sqlalchemy: steps(model, M) };
export const kindOf = (files) => (Object.values(files).some((text) => text.includes("framework_m_core")) ? "doctype" : "sqlalchemy");
export const same = (one, other) => APPS.every((app) => (one[app] ?? "") === (other[app] ?? ""));
export const stepOf = (files) => [...EXAMPLES.doctype, ...EXAMPLES.sqlalchemy].find((step) => same(step.files, files));
