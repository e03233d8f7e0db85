"""What the pytest plugin adds to pytest itself."""

import pytest


def test_report_of_what_utf8_cannot_say_is_sent(pytestconfig: pytest.Config) -> None:
    report = pytest.TestReport(
        nodeid="test_x",
        location=("test_x.py", 1, "test_x"),
        keywords={},
        outcome="failed",
        longrepr="said \udfff",
        when="call",
        sections=[("Captured log call", "name \ud800 é")],
    )

    sent = pytestconfig.hook.pytest_report_to_serializable(config=pytestconfig, report=report)

    assert sent["sections"] == [("Captured log call", r"name \ud800 é")]
    assert sent["longrepr"] == r"said \udfff"
    back = pytestconfig.hook.pytest_report_from_serializable(config=pytestconfig, data=sent)
    assert back.sections == sent["sections"]
