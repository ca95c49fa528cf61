from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0004_generation_in_hand'),
        ('providers', '0004_models_for_teams'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='conversation',
            name='expires_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='conversation',
            name='going',
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(condition=models.Q(('expires_at__isnull', False)), fields=['expires_at'], name='conversation_expires'),
        ),
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(condition=models.Q(('going', True)), fields=['id'], name='conversation_going'),
        ),
    ]
