"""Executors of the sample trees: plain functions with type hints, from which their forms and checks are made."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

from django.conf import settings

from orchestration.executors import ExecutionContext, ExecutorError, executor

DATA = Path(__file__).resolve().parent.parent / "data"
REGIONS = ("north", "south", "west")
TABLE = """CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY, date TEXT NOT NULL, region TEXT NOT NULL, product TEXT NOT NULL,
    quantity INTEGER NOT NULL, total_cents INTEGER NOT NULL)"""
UPSERT = """INSERT INTO orders VALUES (:order_id, :date, :region, :product, :quantity, :total_cents)
    ON CONFLICT (order_id) DO UPDATE SET date = excluded.date, region = excluded.region, product = excluded.product,
    quantity = excluded.quantity, total_cents = excluded.total_cents"""


@executor(id="etl_extract", name="Extract orders", description="Reads a CSV file of examples/data.")
def etl_extract(ctx: ExecutionContext, file: str = "orders.csv") -> dict[str, Any]:
    """The rows of *file*, as text, with their line numbers."""
    path = DATA / Path(file).name  # a name only: no way out of the folder
    if path.suffix != ".csv" or not path.is_file():
        raise ExecutorError(f"there is no file {path.name} in examples/data", code="invalid_inputs", retryable=False)
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        rows = [row | {"line": reader.line_num} for row in reader]
    ctx.progress(1.0, f"{len(rows)} rows")
    return {"file": path.name, "count": len(rows), "rows": rows}


@executor(id="etl_validate", name="Validate orders", description="Parts the rows that can be used from the others.")
def etl_validate(ctx: ExecutionContext, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Good rows in `valid`; the others in `rejected`, with line and reason."""
    valid, rejected = [], []
    seen: set[str] = set()
    for index, row in enumerate(rows, start=1):
        reason = _reason(row, seen)
        if reason:
            rejected.append({"line": row.get("line"), "reason": reason})
            ctx.log(f"line {row.get('line')}: {reason}")
        else:
            valid.append(row)
        seen.add(str(row.get("order_id")))
        ctx.progress(index / len(rows), f"{len(rejected)} rejected")
    return {"valid": valid, "rejected": rejected}


def _reason(row: dict[str, Any], seen: set[str]) -> str:
    if not row.get("order_id"):
        return "order_id is missing"
    if row["order_id"] in seen:
        return f"order_id {row['order_id']} was there already"
    if row.get("region") not in REGIONS:
        return f"region {row.get('region')!r} is unknown"
    if not row.get("product"):
        return "product is missing"
    if not str(row.get("quantity")).isdecimal() or int(row["quantity"]) < 1:
        return f"quantity {row.get('quantity')!r} is not a positive whole number"
    try:
        date.fromisoformat(row.get("date") or "")
    except ValueError:
        return f"date {row.get('date')!r} does not exist"
    return "" if _cents(row.get("unit_price")) > 0 else f"unit_price {row.get('unit_price')!r} is not a price"


def _cents(price: Any) -> int:
    try:
        amount = Decimal(str(price))
    except InvalidOperation:
        return 0
    return int(amount * 100) if amount.is_finite() else 0


@executor(id="etl_transform", name="Transform orders", description="Picks one region and computes the totals.")
def etl_transform(
    ctx: ExecutionContext, rows: list[dict[str, Any]], region: Literal["north", "south", "west"]
) -> dict[str, Any]:
    """The orders of *region* as they are to be loaded, and their revenue."""
    picked = [row for row in rows if row["region"] == region]
    orders = []
    for index, row in enumerate(picked, start=1):
        quantity = int(row["quantity"])
        kept = {key: row[key] for key in ("order_id", "date", "region", "product")}
        orders.append(kept | {"quantity": quantity, "total_cents": quantity * _cents(row["unit_price"])})
        ctx.progress(index / len(picked), f"{index} of {len(picked)} orders")
    return {"region": region, "orders": orders, "revenue_cents": sum(order["total_cents"] for order in orders)}


@executor(
    id="etl_load",
    name="Load orders",
    description="Stores the orders in examples.sqlite3 of the data directory. Can be repeated: an order is there once.",
)
def etl_load(north: dict[str, Any], south: dict[str, Any], west: dict[str, Any]) -> dict[str, Any]:
    """How many orders were stored, and the revenue per region as the table has it now."""
    orders = [order for part in (north, south, west) for order in part["orders"]]
    path = Path(settings.DATA_DIR) / "examples.sqlite3"
    with closing(sqlite3.connect(path, timeout=20)) as database:
        with database:  # one transaction
            database.execute(TABLE)
            database.executemany(UPSERT, orders)
        query = "SELECT region, COUNT(*), SUM(total_cents) FROM orders GROUP BY region ORDER BY region"
        stored = database.execute(query).fetchall()
    regions = {region: {"orders": count, "revenue_cents": cents} for region, count, cents in stored}
    return {"database": path.name, "table": "orders", "loaded": len(orders), "regions": regions}


@executor(id="etl_summary", name="Summarise load", description="Says in a few lines what was loaded and what was not.")
def etl_summary(extracted: int, rejected: list[dict[str, Any]], load: dict[str, Any]) -> dict[str, Any]:
    """Counts and a text; fails when rows were lost on the way."""
    lost = extracted - len(rejected) - load["loaded"]
    if lost:
        raise ExecutorError(f"{lost} rows were neither loaded nor rejected", code="rows_lost", retryable=False)
    lines = [f"{load['loaded']} of {extracted} orders loaded, {len(rejected)} rejected"]
    for region, numbers in load["regions"].items():
        lines.append(f"{region}: {numbers['orders']} orders, {numbers['revenue_cents'] / 100:.2f}")
    return {"loaded": load["loaded"], "rejected": len(rejected), "text": "\n".join(lines)}


@executor(id="health_report", name="Health report", description="Says which resources are nearly used up.")
def health_report(readings: dict[str, Any], warn_percent: float = 90) -> dict[str, Any]:
    """A verdict per resource, from the results of several `system_info` tasks by task id."""
    percent = {found["resource"]: found[found["resource"]]["percent"] for found in readings.values()}
    high = sorted(name for name, value in percent.items() if value >= warn_percent)
    text = f"look at: {', '.join(high)}" if high else "all is well"
    return {"healthy": not high, "percent": percent, "text": text}
