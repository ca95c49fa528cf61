import uuid

from django.db import migrations, models


def gather(apps, schema_editor):
    """Each key begins a family; one that took another's place belongs to that one's."""
    keys = apps.get_model('accounts', 'ApiKey')
    families = {}
    for key in keys.objects.order_by('pk'):  # who takes a place is younger
        key.family = families.get(key.pk) or uuid.uuid4()
        if key.successor_id:
            families[key.successor_id] = key.family
        key.save(update_fields=['family'])


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0009_staff_by_group'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='family',
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.RunPython(gather, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            model_name='apikey',
            name='family',
            field=models.UUIDField(db_index=True, default=uuid.uuid4, editable=False),
        ),
    ]
