"""Counts what an installation has used before there were sums over calls. Without calls it does nothing."""

from django.db import migrations

from usage import recount


def count(apps, schema_editor):
    recount.add(apps.get_model("usage", "Invocation").objects.all(), apps.get_model("usage", "LedgerEntry").objects.all())


class Migration(migrations.Migration):
    dependencies = [("usage", "0005_rollups"), ("accounts", "0010_key_families")]

    operations = [migrations.RunPython(count, migrations.RunPython.noop)]
