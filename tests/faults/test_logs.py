"""What a stack writes down and shows: none of its own secrets, and nothing its customers trusted it
with.
"""

import subprocess


def test_no_log_and_no_process_list_shows_a_secret(shop, stack, customer):
    shop.call("GET", "/api/orders/", customer)
    shop.call("POST", "/api/users/", json={"email": customer.email, "password": customer.password})
    secrets = {path.name: path.read_text().strip() for path in stack.layout.secrets.iterdir()}
    told = {
        "password": customer.password,
        "token": customer.access,
        "address": customer.email,
        **secrets,
    }

    places = {path.name: path.read_text(errors="replace") for path in stack.layout.log.iterdir()}
    command = ["ps", "-eo", "args", "--no-headers"]
    places["ps"] = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert len(places) > len(secrets) / 2
    assert [
        (name, place) for name, value in told.items() for place in places if value in places[place]
    ] == []
