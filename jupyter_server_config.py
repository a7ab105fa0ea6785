"""JupyterLab started in this folder, as on Binder: the kernel's answers go out at once.

TCP holds a small message back until the one before has been acknowledged, up to 40 ms; an explorer's answer
to a slider is several small messages.
"""

from jupyter_server.services.kernels.websocket import KernelWebsocketHandler

open_as_before = KernelWebsocketHandler.open


async def open_without_delay(self, kernel_id):
    """As before, but without Nagle's algorithm."""
    self.set_nodelay(True)
    await open_as_before(self, kernel_id)


KernelWebsocketHandler.open = open_without_delay
