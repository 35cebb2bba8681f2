"""The ASGI application: pages and API over HTTP, live updates over WebSocket. `manage.py up` serves it."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apflow_site.settings")
http_application = get_asgi_application()  # loads the apps: what follows imports their models

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter

from apflow_site.origin import SameOrigin
from apflow_site.sockets import FewSockets, FewWords
from dashboard.routing import websocket_urlpatterns as page_sockets
from orchestration.routing import websocket_urlpatterns as event_sockets

sockets = URLRouter([*page_sockets, *event_sockets])
application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": SameOrigin(FewWords(AuthMiddlewareStack(FewSockets(sockets)))),
    }
)
