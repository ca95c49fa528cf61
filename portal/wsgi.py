"""The Django application as WSGI: what the guard's threads call, and what any other WSGI server may call."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()
