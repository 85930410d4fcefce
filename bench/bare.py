"""The yardstick: a Flask view that reads JSON and answers JSON, and does nothing else.

What our server costs is measured against this view, served by the same gunicorn with the same
settings on the same machine, because a figure in requests per second says more about the machine.

    gunicorn -c gunicorn.conf.py --bind 127.0.0.1:8099 bench.bare:app
"""

from flask import Flask, Response, jsonify, request

app = Flask(__name__)


@app.post("/webhook")
def echo() -> Response:
    """Answer with a few of the fields that were sent."""
    alert = request.get_json(force=True)
    return jsonify(status="filled", action=alert["action"], symbol=alert["symbol"])


@app.get("/webhook/test")
def test() -> Response:
    """Answer that the view is up."""
    return jsonify(status="healthy")
