"""The application. It never changes the schema: ``m-migrate all`` does, before it starts."""

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlmodel import select

from heroes.models import Hero

engine = create_async_engine(os.environ["DATABASE_URL"])
app = FastAPI()


async def session() -> AsyncIterator[AsyncSession]:
    async with AsyncSession(engine, expire_on_commit=False) as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


@app.post("/heroes")
async def add_hero(hero: Hero, opened: Session) -> Hero:
    opened.add(hero)
    await opened.commit()
    return hero


@app.get("/heroes")
async def heroes(opened: Session) -> list[Hero]:
    return list((await opened.execute(select(Hero).order_by(Hero.name))).scalars())
