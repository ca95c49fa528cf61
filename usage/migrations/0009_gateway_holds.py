"""What a hold of the gateway knows: whose place it takes, and how much of the answer was seen when it was last renewed."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0008_closed_months")]

    operations = [
        migrations.AddField(
            model_name="reservation",
            name="produced",
            field=models.BigIntegerField(
                db_default=0,
                default=0,
                help_text="Tokens of its answer when the lease was renewed.",
            ),
        ),
        migrations.AddField(
            model_name="reservation",
            name="provider",
            field=models.UUIDField(null=True, help_text="Who is asked; such a hold takes one of its places."),
        ),
        migrations.AlterField(
            model_name="reservation",
            name="estimate",
            field=models.BigIntegerField(
                default=0, help_text="What its prompt takes in tokens if nobody can say any more."
            ),
        ),
    ]
