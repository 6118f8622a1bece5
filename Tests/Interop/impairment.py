"""A path between clients and a relay that loses and delays datagrams. Used by interop.py."""

import asyncio
import random
import threading


class ImpairedPath:
    """Passes UDP datagrams on to one server on loopback, from a thread of its own, until it is stopped.

    Each client gets a socket of its own towards the server, so that the server tells them apart by their ports.
    """

    def __init__(self, server_port, loss, delay):
        """`loss` is the share of datagrams that vanish in each direction, `delay` the seconds that the others take."""
        self.server = ("127.0.0.1", server_port)
        self.loss = loss
        self.delay = delay
        self.port = None
        self.passed = 0
        self.lost = 0
        self._random = random.Random(1)
        self._backs = {}
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def later(self, send, *arguments):
        """Sends after the delay, or not at all."""
        if self._random.random() < self.loss:
            self.lost += 1
            return
        self.passed += 1
        self._loop.call_later(self.delay, send, *arguments)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())
        self._ready.set()
        self._loop.run_forever()
        for transport in [self._front, *(back for back in self._backs.values() if back)]:
            transport.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _open(self):
        self._front, _ = await self._loop.create_datagram_endpoint(
            lambda: _Front(self), local_addr=("127.0.0.1", 0)
        )
        self.port = self._front.get_extra_info("sockname")[1]

    def from_client(self, data, client):
        if client not in self._backs:
            self._backs[client] = None
            self._loop.create_task(self._introduce(client))
        self.later(self._to_server, data, client)

    async def _introduce(self, client):
        self._backs[client], _ = await self._loop.create_datagram_endpoint(
            lambda: _Back(self, client), remote_addr=self.server
        )

    def _to_server(self, data, client):
        back = self._backs.get(client)
        if back:
            back.sendto(data)

    def to_client(self, data, client):
        self._front.sendto(data, client)


class _Front(asyncio.DatagramProtocol):
    def __init__(self, path):
        self.path = path

    def datagram_received(self, data, address):
        self.path.from_client(data, address)

    def error_received(self, error):
        """A client that has gone; QUIC finds out by itself."""


class _Back(asyncio.DatagramProtocol):
    def __init__(self, path, client):
        self.path = path
        self.client = client

    def datagram_received(self, data, _address):
        self.path.later(self.path.to_client, data, self.client)

    def error_received(self, error):
        """A server that has gone; QUIC finds out by itself."""
