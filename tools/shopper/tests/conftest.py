"""Pauses that a test need not wait for."""

import pytest

from shopper import api


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(api, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(api, "LONGEST_PAUSE_SECONDS", 0.002)
