"""What befell a call, line by line, and the indexes of the log of calls."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0006_count_rollups'),
    ]

    operations = [
        migrations.CreateModel(
            name='CallLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('request_id', models.UUIDField(db_index=True)),
                ('at', models.DateTimeField()),
                ('kind', models.CharField(choices=[('claimed', 'taken by a worker'), ('dispatched', 'sent to the provider'), ('first_text', 'first text'), ('failed', 'the provider failed'), ('retried', 'back to the queue, to be tried again'), ('fell_back', 'another model or provider took it'), ('handed_back', 'handed back by a worker that stopped'), ('lost', 'its worker was lost'), ('waited', 'let in after it had waited for allowance')], max_length=16)),
                ('attempt', models.PositiveIntegerField(default=0)),
                ('reason', models.CharField(blank=True, max_length=32)),
                ('detail', models.CharField(blank=True, max_length=80)),
            ],
            options={
                'verbose_name': 'line of a call',
                'verbose_name_plural': 'lines of calls',
            },
        ),
        migrations.AlterField(
            model_name='invocation',
            name='outcome',
            field=models.CharField(help_text='done, failed, cancelled, interrupted or refused', max_length=16),
        ),
        migrations.AddIndex(
            model_name='invocation',
            index=models.Index(fields=['team', '-created_at'], name='invocation_team'),
        ),
        migrations.AddIndex(
            model_name='invocation',
            index=models.Index(fields=['model', '-created_at'], name='invocation_model'),
        ),
        migrations.AddIndex(
            model_name='invocation',
            index=models.Index(condition=models.Q(('key__isnull', False)), fields=['key', '-created_at'], name='invocation_key'),
        ),
        migrations.AddIndex(
            model_name='invocation',
            index=models.Index(condition=models.Q(('outcome', 'done'), _negated=True), fields=['outcome', '-created_at'], name='invocation_outcome'),
        ),
        migrations.AddIndex(
            model_name='invocation',
            index=models.Index(condition=models.Q(('error_kind', ''), _negated=True), fields=['error_kind', '-created_at'], name='invocation_error'),
        ),
    ]
