"""What an answer must be, whatever was asked (docs/api.md, "Errors")."""

import gzip
import http.client
import json

from wire import Answer, first_answer

PROBLEM = "application/problem+json"
JSON_TYPES = ("application/json", "application/jwk-set+json")
MEMBERS = {"type", "title", "status", "code", "detail", "request_id"}
NO_BODY = (101, 204, 304)


def fault(
    received: bytes, *, method: str, may_be_silent: bool, away: frozenset[int] = frozenset()
) -> str:
    """What is wrong with what came back; "" when nothing is.

    `away`: the statuses of a service that is stopped.
    """
    if not received:
        return "" if may_be_silent else "no answer"
    if received.startswith(b"{"):
        return _bare_fault(received)
    try:
        answer = first_answer(received, method)
    except (http.client.HTTPException, ValueError) as error:
        return f"no HTTP answer: {error!r} {received[:80]!r}"
    return _answer_fault(answer, method, away)


def _answer_fault(answer: Answer, method: str, away: frozenset[int]) -> str:
    if answer.status >= 500 and answer.status not in away:
        return f"{answer.status} {answer.body[:300]!r}"
    if answer.headers.get("X-Request-ID") is None:
        return f"{answer.status} without X-Request-ID: {answer.body[:200]!r}"
    return (
        _problem_fault(answer, method) if answer.status >= 400 else _success_fault(answer, method)
    )


def _bare_fault(received: bytes) -> str:
    """HTTP/0.9 has no status line: so is answered who names no version, or nothing that looks like
    a request.
    """
    try:
        problem = json.loads(received)
    except ValueError:
        problem = {}
    return (
        ""
        if problem.keys() >= MEMBERS or problem == {"status": "ok"}
        else f"no problem: {received[:200]!r}"
    )


def _success_fault(answer: Answer, method: str) -> str:
    if method == "HEAD" or answer.status in NO_BODY:
        return ""
    kind = answer.headers.get_content_type()
    return (
        ""
        if kind in JSON_TYPES and _parsed(answer) is not None
        else f"{answer.status} {kind} {answer.body[:100]!r}"
    )


def _problem_fault(answer: Answer, method: str) -> str:
    if answer.headers.get("Content-Type") != PROBLEM:
        return f"{answer.status} as {answer.headers.get('Content-Type')}: {answer.body[:200]!r}"
    if method == "HEAD":
        return ""
    problem = _parsed(answer)
    if not isinstance(problem, dict) or problem.keys() < MEMBERS:
        return f"{answer.status} is no problem: {answer.body[:200]!r}"
    if problem["status"] != answer.status or problem["request_id"] != answer.headers.get(
        "X-Request-ID"
    ):
        return f"{answer.status} whose members say something else: {answer.body[:300]!r}"
    return ""


def _parsed(answer: Answer) -> object:
    try:
        is_packed = answer.headers.get("Content-Encoding") == "gzip"
        return json.loads(gzip.decompress(answer.body) if is_packed else answer.body)
    except (ValueError, OSError):
        return None
