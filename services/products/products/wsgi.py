"""What gunicorn serves."""

import os

from servicekit.http.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "products.settings")
application = get_wsgi_application()
