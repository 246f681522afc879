"""The application. It never changes the schema: ``create_all`` stays off, and ``m-migrate all`` runs before it."""

import os

from advanced_alchemy.extensions.litestar import SQLAlchemyAsyncConfig, SQLAlchemyPlugin
from litestar import Litestar, get, post
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tasks.models import Task

config = SQLAlchemyAsyncConfig(connection_string=os.environ["DATABASE_URL"], create_all=False)


@post("/tasks/{title:str}")
async def add_task(title: str, db_session: AsyncSession) -> str:
    db_session.add(Task(title=title))
    await db_session.commit()
    return title


@get("/tasks")
async def tasks(db_session: AsyncSession) -> list[str]:
    return list((await db_session.scalars(select(Task.title).order_by(Task.title))).all())


app = Litestar([add_task, tasks], plugins=[SQLAlchemyPlugin(config)])
