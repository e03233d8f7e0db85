from typing import Any

from django.db import migrations

ROLES = ("admin", "catalogue", "fulfilment", "support")


def make_groups(apps: Any, _editor: Any) -> None:
    """Make the groups; whoever is staff so far could do everything, and is an admin."""
    group_model = apps.get_model("auth", "Group")
    groups = {name: group_model.objects.get_or_create(name=name)[0] for name in ROLES}
    account_model = apps.get_model("users", "Account")
    membership = account_model.groups.through
    staff = account_model.objects.filter(is_staff=True).values_list("pk", flat=True)
    membership.objects.bulk_create(
        (membership(account_id=pk, group_id=groups["admin"].pk) for pk in staff),
        ignore_conflicts=True,
        batch_size=1000,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0003_django_user"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        # Going back, the groups may stay: the release before does not look at them.
        migrations.RunPython(make_groups, migrations.RunPython.noop),
    ]
