"""A list of heroes: FastAPI, SQLModel and framework-m-migrations."""
