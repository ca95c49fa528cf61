"""The database's own refusal to change or remove an entry of the ledger, except that a person may be blanked."""

from django.db import migrations

TABLE = "usage_ledgerentry"
PERSONAL = ("person", "person_name", "key")
FIXED = (
    "id uuid request_id attempt kind reserved_at at source team team_name provider provider_name model model_name outcome"
    " requests input_tokens cached_tokens output_tokens reasoning_tokens estimated clamped overrun price currency cost_micro"
    " organisation_currency organisation_cost_micro rate_micro reason by"
).split()


def allowed(same):
    """The only change there may be: who it was becomes nobody, all of it at once."""
    fixed = " AND ".join(same.format(column=f'"{column}"') for column in FIXED)
    return f"{fixed} AND NEW.person IS NULL AND NEW.person_name = '' AND NEW.\"key\" IS NULL"


def sqlite():
    condition = allowed("NEW.{column} IS OLD.{column}")
    return [
        f"CREATE TRIGGER ledger_no_delete BEFORE DELETE ON {TABLE} "
        "BEGIN SELECT RAISE(ABORT, 'ledger entries are never removed'); END",
        f"CREATE TRIGGER ledger_no_update BEFORE UPDATE ON {TABLE} WHEN NOT ({condition}) "
        "BEGIN SELECT RAISE(ABORT, 'ledger entries are never changed'); END",
    ]


def postgresql():
    condition = allowed("NEW.{column} IS NOT DISTINCT FROM OLD.{column}")
    return [
        f"""
        CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' THEN
                IF {condition} THEN RETURN NEW; END IF;
                RAISE EXCEPTION 'ledger entries are never changed' USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            RAISE EXCEPTION 'ledger entries are never removed' USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """,
        f"CREATE TRIGGER ledger_no_delete BEFORE DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION ledger_refuse()",
        f"CREATE TRIGGER ledger_no_update BEFORE UPDATE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION ledger_refuse()",
        f"CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON {TABLE} EXECUTE FUNCTION ledger_refuse()",
    ]


def install(apps, schema_editor):
    statements = {"sqlite": sqlite, "postgresql": postgresql}[schema_editor.connection.vendor]
    for statement in statements():
        schema_editor.execute(statement, params=None)


def remove(apps, schema_editor):
    names = ["ledger_no_delete", "ledger_no_update"]
    if schema_editor.connection.vendor == "postgresql":
        for name in [*names, "ledger_no_truncate"]:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name} ON {TABLE}")
        schema_editor.execute("DROP FUNCTION IF EXISTS ledger_refuse()")
        return
    for name in names:
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0003_quotas'),
    ]

    operations = [
        migrations.RunPython(install, remove),
    ]
