"""Web processes, counts for monitors, alerts and the messages about them."""

import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='AlertSettings',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('emails', models.CharField(blank=True, max_length=500, verbose_name='e-mail addresses')),
                ('webhook_url', models.CharField(blank=True, max_length=500, verbose_name='webhook')),
                ('webhook_secret', models.CharField(blank=True, max_length=500)),
                ('quiet_minutes', models.PositiveIntegerField(default=60, verbose_name='quiet time')),
                ('error_percent', models.PositiveSmallIntegerField(default=20, verbose_name='share of failed answers')),
                ('queue_s', models.PositiveIntegerField(default=60, verbose_name='wait of a question')),
            ],
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('upto', models.BigIntegerField(default=0)),
                ('counts', models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name='WebProcess',
            fields=[
                ('uuid', models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ('beat_at', models.DateTimeField(db_index=True)),
                ('held_polls', models.PositiveIntegerField(default=0)),
                ('requests', models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('budget_80', 'most of a budget is used'), ('budget_100', 'a budget is used up'), ('provider', 'a provider does not answer'), ('errors', 'many answers fail'), ('queue', 'questions wait for long'), ('workers', 'no worker is there'), ('worker_lost', 'a worker is gone'), ('ledger', 'the ledger does not agree'), ('price', 'a price is missing'), ('test', 'a test')], max_length=16)),
                ('subject', models.CharField(blank=True, max_length=64)),
                ('subject_name', models.CharField(blank=True, max_length=200)),
                ('facts', models.JSONField(default=dict)),
                ('opened_at', models.DateTimeField()),
                ('seen_at', models.DateTimeField()),
                ('told_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'alert',
                'verbose_name_plural': 'alerts',
                'indexes': [models.Index(fields=['-opened_at'], name='alert_time')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('closed_at', None)), fields=('kind', 'subject'), name='alert_one_open')],
            },
        ),
        migrations.CreateModel(
            name='AlertMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('what', models.CharField(choices=[('raised', 'alert'), ('still', 'still so'), ('well', 'all well again')], max_length=8)),
                ('by_mail', models.BooleanField()),
                ('to', models.CharField(max_length=500)),
                ('at', models.DateTimeField()),
                ('state', models.CharField(choices=[('waiting', 'on its way'), ('sent', 'sent'), ('failed', 'given up')], default='waiting', max_length=8)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('due_at', models.DateTimeField()),
                ('sent_at', models.DateTimeField(null=True)),
                ('error', models.CharField(blank=True, max_length=200)),
                ('alert', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='portal.alert')),
            ],
            options={
                'verbose_name': 'message about an alert',
                'verbose_name_plural': 'messages about alerts',
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['due_at'], name='alert_message_due')],
            },
        ),
    ]
