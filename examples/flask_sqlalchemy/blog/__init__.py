"""A blog: Flask, Flask-SQLAlchemy, and a history that Flask-Migrate began."""

import os

from flask import Flask
from flask_migrate import Migrate

from blog.models import Post, db
from framework_m_migrations.alembic_env import include_name

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
db.init_app(app)
# `flask db migrate` leaves m-migrate's own tables alone.
Migrate(app, db, include_name=include_name(db.metadata))


@app.get("/")
def titles() -> list[str]:
    return [post.title for post in db.session.scalars(db.select(Post).order_by(Post.id))]
