import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_settings'),
    ]

    operations = [
        migrations.CreateModel(
            name='Erasure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('person', models.UUIDField(unique=True)),
                ('by', models.UUIDField(null=True)),
                ('by_name', models.CharField(blank=True, max_length=254)),
                ('planned', models.JSONField(default=dict)),
                ('erased', models.JSONField(default=dict)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('busy_until', models.DateTimeField(null=True)),
                ('event', models.PositiveBigIntegerField(null=True)),
                ('event_hash', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'verbose_name': 'erasure',
                'verbose_name_plural': 'erasures',
            },
        ),
        migrations.AlterModelOptions(
            name='organisation',
            options={'permissions': (('manage_privacy', 'Can set what is kept, set legal holds, export and erase people'),), 'verbose_name': 'organisation', 'verbose_name_plural': 'organisation'},
        ),
        migrations.AddField(
            model_name='organisation',
            name='looks_by_two',
            field=models.BooleanField(default=False, editable=False, verbose_name='a second person must agree to a look'),
        ),
        migrations.AddField(
            model_name='organisation',
            name='looks_told',
            field=models.CharField(choices=[('now', 'at once'), ('later', 'some days later'), ('never', 'never')], default='now', editable=False, max_length=8, verbose_name='who was looked at is told'),
        ),
        migrations.AddField(
            model_name='organisation',
            name='looks_told_days',
            field=models.PositiveSmallIntegerField(default=7, editable=False, verbose_name='days until then'),
        ),
        migrations.AddField(
            model_name='organisation',
            name='retention_days',
            field=models.PositiveIntegerField(editable=False, null=True, verbose_name='days conversations are kept'),
        ),
        migrations.AddField(
            model_name='organisation',
            name='temporary_hours',
            field=models.PositiveIntegerField(default=24, editable=False, verbose_name='hours a temporary chat lives'),
        ),
        migrations.AddField(
            model_name='team',
            name='retention_days',
            field=models.PositiveIntegerField(editable=False, help_text='Empty: as the organisation; 0: for ever.', null=True, verbose_name='days conversations are kept'),
        ),
        migrations.AddField(
            model_name='user',
            name='may_open_chats',
            field=models.BooleanField(default=False, editable=False, verbose_name='may open conversations with a reason'),
        ),
        migrations.AlterField(
            model_name='notice',
            name='kind',
            field=models.CharField(choices=[('factor_reset', 'The second factor was removed.'), ('link_made', 'A link to choose a new password was made.'), ('chats_opened', 'Conversations were opened.')], max_length=16),
        ),
        migrations.CreateModel(
            name='LegalHold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('team_name', models.CharField(blank=True, max_length=120)),
                ('reason', models.CharField(max_length=500, verbose_name='reason')),
                ('set_by', models.UUIDField(null=True)),
                ('set_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('team', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='accounts.team')),
            ],
            options={
                'verbose_name': 'legal hold',
                'verbose_name_plural': 'legal holds',
            },
        ),
        migrations.CreateModel(
            name='HeldPerson',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='holds', to=settings.AUTH_USER_MODEL)),
                ('hold', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='people', to='accounts.legalhold')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('hold', 'person'), name='held_person_once')],
            },
        ),
        migrations.CreateModel(
            name='Opening',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('reason', models.CharField(blank=True, max_length=500, verbose_name='reason')),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField()),
                ('minutes', models.PositiveSmallIntegerField()),
                ('by_two', models.BooleanField(default=False)),
                ('asked_at', models.DateTimeField()),
                ('opened_at', models.DateTimeField(null=True)),
                ('ends_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('tell_at', models.DateTimeField(null=True)),
                ('told_at', models.DateTimeField(null=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='openings', to=settings.AUTH_USER_MODEL)),
                ('reader', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('second', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'look into conversations',
                'verbose_name_plural': 'looks into conversations',
                'indexes': [models.Index(fields=['person', '-asked_at'], name='opening_of'), models.Index(condition=models.Q(('tell_at__isnull', False), ('told_at', None)), fields=['tell_at'], name='opening_to_tell')],
                'constraints': [models.CheckConstraint(condition=models.Q(('since__lt', models.F('until'))), name='opening_forward'), models.CheckConstraint(condition=models.Q(models.Q(('ends_at', None), ('opened_at', None)), models.Q(('ends_at__isnull', False), ('opened_at__isnull', False)), _connector='OR'), name='opening_open_has_end'), models.CheckConstraint(condition=models.Q(('by_two', False), ('opened_at', None), models.Q(('second', None), _negated=True), _connector='OR'), name='opening_by_two'), models.CheckConstraint(condition=models.Q(('reader', models.F('person')), _negated=True), name='opening_of_another')],
            },
        ),
    ]
