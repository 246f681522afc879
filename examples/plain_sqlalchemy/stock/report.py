"""What is in stock: ``python -m stock.report``, and ``python -m stock.report add NAME PIECES``."""

import os
import sys
from decimal import Decimal

from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from stock.models import Product, Stock

if __name__ == "__main__":
    with Session(create_engine(os.environ["DATABASE_URL"])) as session:
        if sys.argv[1:2] == ["add"]:
            product = Product(name=sys.argv[2], price=Decimal(1))
            session.add(product)
            session.flush()
            session.add(Stock(product_id=product.id, pieces=int(sys.argv[3])))
            session.commit()
        else:
            for name, pieces in session.execute(select(Product.name, Stock.pieces).join(Stock)):
                print(f"{name}: {pieces}")
