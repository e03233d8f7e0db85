from checks.service_settings import with_settings

EXAMPLE = """\
# --- For containers: written by make env ---
#SECRET_KEY_ORDERS=
# --- For every service: read from there too ---
# What it does.
#LOG_LEVEL=INFO
#RELAY_BATCH=500

# --- Per service: set by make up ---
#DATABASE_URL=
"""
COMPOSE = """\
x-settings: &settings
  OLD: ${OLD:-}

x-next: &next
  LOG_LEVEL: other
"""


def test_settings_of_every_service_are_passed_on_and_no_others() -> None:
    written = with_settings(COMPOSE, EXAMPLE)

    settings = "  LOG_LEVEL: ${LOG_LEVEL:-}\n  RELAY_BATCH: ${RELAY_BATCH:-}\n"
    assert written == COMPOSE.replace("  OLD: ${OLD:-}\n", settings)
    assert with_settings(written, EXAMPLE) == written
