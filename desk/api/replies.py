"""Write what goes back to who sent alerts: outcomes, that they were received, or what they would do."""

from __future__ import annotations

from typing import Any

from desk.alerts.answers import combine_statuses
from desk.alerts.delivery import AlertAnswer, PendingReply
from desk.api.requests import ApiResponse
from desk.formats import to_json
from parsers.alert import Alert, Message


def write_outcomes(reply: PendingReply, message: Message) -> ApiResponse:
    """Return what came of the alerts of one request, as far as it is known."""
    answers = reply.answers
    if not message.is_array:
        return ApiResponse(answers[0].http, answers[0].text, answers[0].shape.get("retry_after"))
    done = to_json(all(answer.shape["success"] for answer in answers))
    texts = ",".join(answer.text for answer in answers)
    http = combine_statuses([answer.http for answer in answers])
    return ApiResponse(http, f'{{"success":{done},"results":[{texts}]}}')


def write_received(reply: PendingReply, message: Message) -> ApiResponse:
    """Answer at once that alerts are ours; what can never trade, and duplicates, are answered in full."""
    for answer in reply.answers:
        is_certain = answer.shape["action"] is None or answer.shape["code"] == "NO_ACCOUNT"
        is_known = answer.shape["duplicate"] and answer.shape["status"] != "pending"
        if is_certain or is_known:
            return write_outcomes(reply, message)
    ids = [answer.shape["alert_id"] for answer in reply.answers]
    said = ", ".join(_name(each) for each in message.alerts if isinstance(each, Alert))
    text = f"Alert queued for processing: {said}"
    shape: dict[str, Any] = {"status": "received", "alert_id": ids[0], "message": text}
    if message.is_array:
        shape["alert_ids"] = ids
    return ApiResponse(200, to_json(shape))


def write_preview(reply: PendingReply, message: Message) -> ApiResponse:
    """Return what the alerts of one request would do."""
    shapes = [_preview_one(answer) for answer in reply.answers]
    if not message.is_array:
        return ApiResponse(reply.answers[0].http, to_json(shapes[0]))
    http = combine_statuses([answer.http for answer in reply.answers])
    valid = all(shape["valid"] for shape in shapes)
    return ApiResponse(http, to_json({"valid": valid, "results": shapes}))


def _preview_one(answer: AlertAnswer) -> dict[str, Any]:
    shape = answer.shape
    kept = ("alert", "orders", "warnings", "code", "message")
    return {"valid": shape["success"], **{name: shape.get(name) for name in kept}}


def _name(alert: Alert) -> str:
    quantity = f" {alert.quantity}" if alert.quantity is not None else ""
    return f"{alert.symbol} {alert.action}{quantity}"
