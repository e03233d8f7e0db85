"""What a service says of itself at /readyz, and what becomes of it."""

from souk.readiness import Finding, parse


def test_readiness_names_only_the_checks_that_fail() -> None:
    body = '{"status": "degraded", "checks": {"database": "ok", "broker": "refused"}}'

    assert parse(body) == Finding(not_ready="broker: refused")
    assert parse("<html>").is_well
    assert parse('{"status": "ok"}').is_well


def test_what_waits_for_a_person_is_told_and_holds_up_no_start() -> None:
    """Dead letters go by no waiting: `make up` would give up over them."""
    said = parse(
        '{"status": "degraded",'
        ' "checks": {"database": "ok", "dead_letters": "3 wait", "overdue": "1 s"}}'
    )

    assert said.not_ready == ""
    assert not said.is_well
    assert str(said) == "degraded: dead_letters: 3 wait; overdue: 1 s"


def test_service_that_is_not_up_tells_everything() -> None:
    said = Finding("database: away", "dead_letters: 3 wait", serves=False)

    assert str(said) == "NOT READY: database: away; dead_letters: 3 wait"
    assert (
        str(parse('{"checks": {"processes": "worker is silent"}}'))
        == "degraded: processes: worker is silent"
    )
