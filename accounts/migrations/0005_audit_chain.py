"""What the audit trail still needs, and the database's own refusal to change or remove an event."""

from django.db import migrations, models

FIXED = (
    "id number uuid at action actor_kind actor target_kind target concerns changes request_id personal target_personal"
    " previous hash".split()
)
ACTOR = ("actor_name", "address", "device", "salt")
TARGET = ("target_name", "target_salt")
TABLE = "accounts_auditevent"


def allowed(same):
    """The only change there may be: the actor's or the target's personal columns become empty, all of them at once."""
    fixed = " AND ".join(same.format(column=column) for column in FIXED)
    kept = {group: " AND ".join(same.format(column=column) for column in group) for group in (ACTOR, TARGET)}
    gone = {group: " AND ".join(f"NEW.{column} = ''" for column in group) for group in (ACTOR, TARGET)}
    actor = f"(({kept[ACTOR]}) OR ({gone[ACTOR]}))"
    # A target whose name is nobody's (a team, a model) has no salt: its name stands in the chain as it is.
    private = same.format(column="private")
    empty = "CAST(NEW.private AS TEXT) = '{}'"
    target = f"(({kept[TARGET]} AND {private}) OR ({gone[TARGET]} AND {empty} AND OLD.target_salt <> ''))"
    return f"{fixed} AND {actor} AND {target}"


def sqlite():
    condition = allowed("NEW.{column} IS OLD.{column}")
    return [
        f"CREATE TRIGGER audit_no_delete BEFORE DELETE ON {TABLE} "
        "BEGIN SELECT RAISE(ABORT, 'audit events are never removed'); END",
        f"CREATE TRIGGER audit_no_update BEFORE UPDATE ON {TABLE} WHEN NOT ({condition}) "
        "BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END",
    ]


def postgresql():
    condition = allowed("NEW.{column} IS NOT DISTINCT FROM OLD.{column}")
    return [
        f"""
        CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' THEN
                IF {condition} THEN RETURN NEW; END IF;
                RAISE EXCEPTION 'audit events are never changed' USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            RAISE EXCEPTION 'audit events are never removed' USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """,
        f"CREATE TRIGGER audit_no_delete BEFORE DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
        f"CREATE TRIGGER audit_no_update BEFORE UPDATE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
        f"CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON {TABLE} EXECUTE FUNCTION audit_refuse()",
    ]


def install(apps, schema_editor):
    statements = {"sqlite": sqlite, "postgresql": postgresql}[schema_editor.connection.vendor]
    for statement in statements():
        schema_editor.execute(statement, params=None)


def remove(apps, schema_editor):
    names = ["audit_no_delete", "audit_no_update"]
    if schema_editor.connection.vendor == "postgresql":
        for name in [*names, "audit_no_truncate"]:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name} ON {TABLE}")
        schema_editor.execute("DROP FUNCTION IF EXISTS audit_refuse()")
        return
    for name in names:
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_registration_and_waiting'),
    ]

    operations = [
        migrations.AddField(
            model_name='auditevent',
            name='concerns',
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='private',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='target_personal',
            field=models.CharField(blank=True, max_length=64, default=''),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='auditevent',
            name='target_salt',
            field=models.CharField(blank=True, max_length=32, default=''),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name='auditevent',
            name='previous',
            field=models.CharField(max_length=64, unique=True),
        ),
        migrations.AlterField(
            model_name='auditevent',
            name='action',
            field=models.CharField(max_length=64, verbose_name='what'),
        ),
        migrations.AlterField(
            model_name='auditevent',
            name='actor',
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='auditevent',
            name='target',
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['action', 'number'], name='audit_by_action'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['actor', 'number'], name='audit_by_actor'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['target', 'number'], name='audit_by_target'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['concerns', 'number'], name='audit_by_concerns'),
        ),
        migrations.RunPython(install, remove),
    ]
