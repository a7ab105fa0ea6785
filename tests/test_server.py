"""What the kernel says reaches the browser at once, in a JupyterLab with the package beside it."""

import asyncio
import socket
from types import SimpleNamespace

import pytest
import tornado.httpserver
import tornado.testing
import tornado.web
import tornado.websocket

from vae_lessons import server

CLASS = "kernel_websocket_connection_class"


class Connection:
    """As jupyter_server's: made for one handler, and connected when its websocket is open."""

    def __init__(self, handler):
        self.websocket_handler = handler

    def connect(self):
        return "connected"


def app_with(connection):
    return SimpleNamespace(web_app=SimpleNamespace(settings={CLASS: connection, "other": 1}))


def test_the_extension_replaces_only_the_class_of_connections_and_keeps_what_it_was():
    app = app_with(Connection)
    server._load_jupyter_server_extension(app)
    assert issubclass(app.web_app.settings[CLASS], Connection)
    assert app.web_app.settings["other"] == 1


@pytest.mark.parametrize("prompt", [False, True])
def test_a_socket_connected_so_does_not_wait(prompt):
    """A real websocket: with the plain class Nagle's algorithm is on, with ours it is off."""
    app = app_with(Connection)
    if prompt:
        server._load_jupyter_server_extension(app)
    seen = {}

    class Handler(tornado.websocket.WebSocketHandler):
        def open(self):
            seen["answer"] = app.web_app.settings[CLASS](self).connect()
            stream = self.ws_connection.stream
            seen["nodelay"] = stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    async def meet():
        listening, port = tornado.testing.bind_unused_port()
        served = tornado.httpserver.HTTPServer(tornado.web.Application([("/", Handler)]))
        served.add_sockets([listening])
        client = await tornado.websocket.websocket_connect(f"ws://127.0.0.1:{port}/")
        while "nodelay" not in seen:
            await asyncio.sleep(0.01)
        client.close()
        served.stop()

    asyncio.run(asyncio.wait_for(meet(), 20))
    assert seen["answer"] == "connected"
    assert bool(seen["nodelay"]) is prompt


def test_the_installation_turns_it_on():
    config = pytest.importorskip("jupyter_server.extension.config")
    from jupyter_core.paths import jupyter_config_path

    turned_on = config.ExtensionConfigManager(
        read_config_path=jupyter_config_path()
    ).get_jpserver_extensions()
    assert turned_on.get("vae_lessons.server"), "Install the package again: pip install -r requirements.txt"


def test_jupyter_server_finds_its_way_in():
    points = server._jupyter_server_extension_points()
    assert [point["module"] for point in points] == [server.__name__]
