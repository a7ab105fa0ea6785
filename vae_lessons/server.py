"""JupyterLab sends what a kernel says at once: a Jupyter Server extension that the installation turns on.

By default TCP holds a small message back until the one before it has been acknowledged, which a browser
leaves for up to 40 ms (Nagle 1984, RFC 896; RFC 1122, 4.2.3.2). An explorer's answer to a slider is several
small messages.
"""


def without_delay(connection):
    """A class of kernel connections -> the same, but each turns Nagle's algorithm off on its websocket."""

    class Prompt(connection):
        """What the browser and a kernel say to each other, each message sent at once."""

        def connect(self):
            """Connect the kernel, and hold nothing back from now on."""
            self.websocket_handler.set_nodelay(True)
            return super().connect()

    return Prompt


def _jupyter_server_extension_points():
    return [{"module": "vae_lessons.server"}]


def _load_jupyter_server_extension(app):
    settings = app.web_app.settings
    settings["kernel_websocket_connection_class"] = without_delay(
        settings["kernel_websocket_connection_class"]
    )
