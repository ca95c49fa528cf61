"""Closed months with their lines, invoices; and the database's own refusal to change or remove what is closed.

A month is sealed last. From then on it takes no line, and a line changes only in that a person becomes nobody.
"""

import django.db.models.deletion
import uuid
from django.db import migrations, models


MONTH, LINE = "usage_closedmonth", "usage_monthline"
OF_MONTH = "id uuid first zone starts_at ends_at currency closed_at closed_by lines digest".split()
OF_LINE = (
    "id month_id cost_centre team team_name model model_name provider provider_name currency organisation_currency calls unknown"
    " input_tokens cached_tokens output_tokens reasoning_tokens cost_micro organisation_cost_micro corrections corrected_tokens"
    " corrected_micro"
).split()


def same(columns, comparison):
    return " AND ".join(comparison.format(column=f'"{column}"') for column in columns)


def allowed(comparison):
    """The only changes there may be: of a month that it is sealed, of a line that it becomes nobody's."""
    return (
        f"{same(OF_MONTH, comparison)} AND NOT OLD.sealed AND NEW.sealed",
        f"{same(OF_LINE, comparison)} AND NEW.person IS NULL AND NEW.person_name = ''",
    )


def sqlite():
    of_month, of_line = allowed("NEW.{column} IS OLD.{column}")
    refuse = "BEGIN SELECT RAISE(ABORT, 'a closed month never changes'); END"
    return [
        f"CREATE TRIGGER month_no_delete BEFORE DELETE ON {MONTH} {refuse}",
        f"CREATE TRIGGER month_no_update BEFORE UPDATE ON {MONTH} WHEN NOT ({of_month}) {refuse}",
        f"CREATE TRIGGER month_line_no_insert BEFORE INSERT ON {LINE} "
        f"WHEN (SELECT sealed FROM {MONTH} WHERE id = NEW.month_id) {refuse}",
        f"CREATE TRIGGER month_line_no_delete BEFORE DELETE ON {LINE} {refuse}",
        f"CREATE TRIGGER month_line_no_update BEFORE UPDATE ON {LINE} WHEN NOT ({of_line}) {refuse}",
    ]


def postgresql():
    of_month, of_line = allowed("NEW.{column} IS NOT DISTINCT FROM OLD.{column}")
    no = "RAISE EXCEPTION 'a closed month never changes' USING ERRCODE = 'integrity_constraint_violation'"

    def refuse(name, body):
        return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} {no}; END $$"

    late = f"IF NOT (SELECT sealed FROM {MONTH} WHERE id = NEW.month_id) THEN RETURN NEW; END IF;"
    return [
        refuse("month_refuse", f"IF TG_OP = 'UPDATE' THEN IF {of_month} THEN RETURN NEW; END IF; END IF;"),
        refuse(
            "month_line_refuse",
            f"IF TG_OP = 'UPDATE' THEN IF {of_line} THEN RETURN NEW; END IF; END IF; IF TG_OP = 'INSERT' THEN {late} END IF;",
        ),
        f"CREATE TRIGGER month_guard BEFORE UPDATE OR DELETE ON {MONTH} FOR EACH ROW EXECUTE FUNCTION month_refuse()",
        f"CREATE TRIGGER month_no_truncate BEFORE TRUNCATE ON {MONTH} EXECUTE FUNCTION month_refuse()",
        f"CREATE TRIGGER month_line_guard BEFORE INSERT OR UPDATE OR DELETE ON {LINE} "
        "FOR EACH ROW EXECUTE FUNCTION month_line_refuse()",
        f"CREATE TRIGGER month_line_no_truncate BEFORE TRUNCATE ON {LINE} EXECUTE FUNCTION month_line_refuse()",
    ]


def install(apps, schema_editor):
    statements = {"sqlite": sqlite, "postgresql": postgresql}[schema_editor.connection.vendor]
    for statement in statements():
        schema_editor.execute(statement, params=None)


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table, names in ((MONTH, "month_guard month_no_truncate"), (LINE, "month_line_guard month_line_no_truncate")):
            for name in names.split():
                schema_editor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        schema_editor.execute("DROP FUNCTION IF EXISTS month_refuse(), month_line_refuse()")
        return
    for name in "month_no_delete month_no_update month_line_no_insert month_line_no_delete month_line_no_update".split():
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0007_call_lines'),
    ]

    operations = [
        migrations.CreateModel(
            name='ClosedMonth',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('first', models.DateField(unique=True)),
                ('zone', models.CharField(max_length=64)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('currency', models.CharField(max_length=3)),
                ('closed_at', models.DateTimeField()),
                ('closed_by', models.UUIDField(help_text='Empty: by itself.', null=True)),
                ('lines', models.PositiveIntegerField(default=0)),
                ('digest', models.CharField(blank=True, help_text='SHA-256 of its lines, without whom they are of.', max_length=64)),
                ('sealed', models.BooleanField(default=False)),
            ],
            options={
                'verbose_name': 'closed month',
                'verbose_name_plural': 'closed months',
                'constraints': [models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='closed_month_is_one')],
            },
        ),
        migrations.CreateModel(
            name='Invoice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('first', models.DateField(help_text='The first day of the month.')),
                ('provider', models.UUIDField()),
                ('provider_name', models.CharField(max_length=80)),
                ('model', models.UUIDField(default=uuid.UUID('00000000-0000-0000-0000-000000000000'))),
                ('model_name', models.CharField(blank=True, max_length=200)),
                ('currency', models.CharField(max_length=3)),
                ('amount_micro', models.BigIntegerField()),
                ('entered_at', models.DateTimeField()),
                ('entered_by', models.UUIDField(null=True)),
            ],
            options={
                'verbose_name': 'invoice',
                'verbose_name_plural': 'invoices',
                'constraints': [models.UniqueConstraint(fields=('first', 'provider', 'model'), name='invoice_once'), models.CheckConstraint(condition=models.Q(('amount_micro__gte', 0)), name='invoice_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='MonthLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cost_centre', models.CharField(blank=True, max_length=64)),
                ('team', models.UUIDField(default=uuid.UUID('00000000-0000-0000-0000-000000000000'))),
                ('team_name', models.CharField(blank=True, max_length=120)),
                ('person', models.UUIDField(null=True)),
                ('person_name', models.CharField(blank=True, max_length=254)),
                ('model', models.UUIDField(default=uuid.UUID('00000000-0000-0000-0000-000000000000'))),
                ('model_name', models.CharField(blank=True, max_length=200)),
                ('provider', models.UUIDField(default=uuid.UUID('00000000-0000-0000-0000-000000000000'))),
                ('provider_name', models.CharField(blank=True, max_length=80)),
                ('currency', models.CharField(blank=True, max_length=3)),
                ('organisation_currency', models.CharField(blank=True, max_length=3)),
                ('calls', models.BigIntegerField(default=0)),
                ('unknown', models.BigIntegerField(default=0, help_text='Entries with tokens whose cost nobody knows.')),
                ('input_tokens', models.BigIntegerField(default=0)),
                ('cached_tokens', models.BigIntegerField(default=0)),
                ('output_tokens', models.BigIntegerField(default=0)),
                ('reasoning_tokens', models.BigIntegerField(default=0)),
                ('cost_micro', models.BigIntegerField(default=0)),
                ('organisation_cost_micro', models.BigIntegerField(default=0)),
                ('corrections', models.BigIntegerField(default=0)),
                ('corrected_tokens', models.BigIntegerField(default=0)),
                ('corrected_micro', models.BigIntegerField(default=0)),
                ('month', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='of', to='usage.closedmonth')),
            ],
            options={
                'verbose_name': 'line of a closed month',
                'verbose_name_plural': 'lines of closed months',
                'indexes': [models.Index(fields=['month', 'team'], name='month_line_team'), models.Index(condition=models.Q(('person__isnull', False)), fields=['person'], name='month_line_person')],
            },
        ),
        migrations.RunPython(install, remove),
    ]
