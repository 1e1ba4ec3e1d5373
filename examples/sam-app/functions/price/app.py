"""Prices an order: a task like any other, which knows nothing of workflows."""


def handler(order, context):
    lines = order.get("lines") or []
    return {"total": sum(line["count"] * line["price"] for line in lines)}
