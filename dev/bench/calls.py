"""Calls of the product's API over HTTP, timed by whoever waits for them."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dev.bench import rows

#: Every so many uses repeat an earlier key, as a product does whose connection broke.
REPEAT_EVERY = 10


@dataclass(frozen=True, slots=True)
class Timing:
    """What the callers of one kind waited, in seconds."""

    kind: str
    waited: tuple[float, ...]

    def percentile(self, percent: int) -> float:
        """So many percent of the calls were answered within this."""
        return sorted(self.waited)[max(0, -(-len(self.waited) * percent // 100) - 1)]

    def line(self) -> str:
        """One line of the report."""
        parts = [f"p{percent} {self.percentile(percent) * 1000:6.1f} ms" for percent in (50, 95, 99)]
        longest = max(self.waited) * 1000
        return (
            f"  {self.kind:<12} {len(self.waited):>6} calls   {'   '.join(parts)}   longest {longest:.1f} ms"
        )


def of_the_machine(times: int = 500) -> Timing:
    """What the same computing takes here, again and again: how far the other figures can be trusted."""
    waited = []
    for _ in range(times):
        begun = time.perf_counter()
        sum(range(30_000))
        waited.append(time.perf_counter() - begun)
    return Timing("the machine", tuple(waited))


class Product:
    """The shop's own product: asks about customers at random, and sometimes about the largest."""

    def __init__(self, port: int, key: str, customers: int) -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._customers = customers
        self._random = random.Random(3)  # noqa: S311 - seeded: runs are compared, nothing is secret
        self._number = itertools.count()
        self._local = threading.local()
        self._last: tuple[str, str] | None = None

    def entitlement(self) -> None:
        """What may somebody use?"""
        self._call("GET", f"/api/v1/customers/{self._somebody()}/entitlement", None)

    def usage(self) -> None:
        """Count one e-mail of somebody."""
        number, last = next(self._number), self._last
        repeats = last is not None and number % REPEAT_EVERY == 0
        who, key = last if last is not None and repeats else (self._somebody(), f"bench-{number}")
        self._last = who, key
        self._call("POST", f"/api/v1/customers/{who}/usage", {"quantity": 1, "idempotency_key": key})

    def one_after_another(self, kind: str, calls: int) -> Timing:
        """Each call begins when the one before was answered."""
        call = self._named(kind)
        waited = []
        for _ in range(calls):
            begun = time.perf_counter()
            call()
            waited.append(time.perf_counter() - begun)
        return Timing(kind, tuple(waited))

    def at_random_moments(self, kinds: tuple[str, ...], rate: int, calls: int, clients: int) -> list[Timing]:
        """So many calls a second on average, as independent callers come (a Poisson process).

        A call's time runs from the moment it was due: whoever has to wait for a slow answer before it is
        counted too.
        """
        due, moments = time.perf_counter() + 0.1, []
        for number in range(calls):
            due += self._random.expovariate(rate)
            moments.append((due, kinds[number % len(kinds)]))
        waited: dict[str, list[float]] = defaultdict(list)
        with ThreadPoolExecutor(clients) as pool:
            for kind, seconds in pool.map(self._at, moments):
                waited[kind].append(seconds)
        return [Timing(kind, tuple(waited[kind])) for kind in kinds]

    def _at(self, moment: tuple[float, str]) -> tuple[str, float]:
        due, kind = moment
        time.sleep(max(0, due - time.perf_counter()))
        self._named(kind)()
        return kind, time.perf_counter() - due

    def _named(self, kind: str) -> Callable[[], None]:
        return {"entitlement": self.entitlement, "usage": self.usage}[kind]

    def _somebody(self) -> str:
        number = 1 if self._random.random() < 0.05 else self._random.randint(1, self._customers)
        return rows.email(number)

    def _call(self, method: str, path: str, body: object) -> None:
        """Ask on this thread's own connection, which is kept open. Anything but 200 ends the run."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection(
                "127.0.0.1", self._port, timeout=30
            )
        connection.request(method, path, None if body is None else json.dumps(body), self._headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {said[:300]!r}")
