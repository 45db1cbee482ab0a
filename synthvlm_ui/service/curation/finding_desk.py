"""Finding candidates: by the words of their captions, by what they show, by what they are like.

A search by words is a mask, one by likeness a column of similarities; both join the view of any rule. Knows no page.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, UnknownName
from synthvlm_ui.selection import keys_of
from synthvlm_ui.service.curation.neighbours import Neighbours
from synthvlm_ui.service.curation.ordering import Order
from synthvlm_ui.service.curation.scope import Scope
from synthvlm_ui.service.curation.view import ORDERS, Shown, View
from synthvlm_ui.service.curation.view_state import Find
from synthvlm_ui.store import Workspace

_REMEMBERED = 4
Embed = Callable[[str, str], NDArray[np.float32]]


class FindingDesk:
    """``studio.finding``. ``embed(scorer key, text)`` asks the query worker for a text's embedding."""

    def __init__(self, workspace: Workspace, neighbours: Neighbours, embed: Embed) -> None:
        self._workspace, self._neighbours, self._embed = workspace, neighbours, embed
        self._lock = threading.Lock()
        self._similarities: OrderedDict[tuple[Any, ...], NDArray[np.float32]] = OrderedDict()
        self._vectors: OrderedDict[tuple[str, str], NDArray[np.float32]] = OrderedDict()
        self._orders: OrderedDict[tuple[Any, ...], Order] = OrderedDict()

    def shown(self, view: View, find: Find, show: str, order: str) -> Shown:
        """What is looked at: the rows of ``show`` that the search finds, in an order.

        Raises: BadSetting, UnknownName.
        """
        mask = view.mask(show)
        scope = view.scope
        if find.text:
            mask = mask & scope.columns["caption"].matching("contains", find.text)
        if find.is_by_likeness:
            mask = mask & np.isfinite(self.similarity(scope, find))
        plain = order.removeprefix("-")
        if plain not in (*ORDERS, *scope.score_names):
            raise BadSetting(f"cannot order by {order!r}", where="order",
                             fix=f"Choose one of {', '.join(dict.fromkeys((*ORDERS, *scope.score_names)))}.")
        chosen = self._by_similarity(scope, find, order) if plain == "similarity" else scope.order(order, view.rule)
        return Shown(mask, chosen, (show, order, find))

    def find(self, dataset_scope: Scope, find: Find) -> dict[str, Any]:
        """How much a search finds; makes everything ready for ``shown``. Raises: as ``shown``, ModelUnavailable."""
        start = time.perf_counter()
        captions = similar = model = None
        if find.text:
            captions = dataset_scope.columns["caption"].count(find.text)
        if find.is_by_likeness:
            similar = int(np.isfinite(self.similarity(dataset_scope, find)).sum())
            model = self._neighbours.key
        return {"text_captions": captions, "similar": similar, "model": model,
                "ms": round((time.perf_counter() - start) * 1e3, 1)}

    def similarity(self, scope: Scope, find: Find) -> NDArray[np.float32]:
        """The cosine of every candidate of the scope with what is searched, (N,); NaN without an embedding.

        A search by likeness leaves the candidate itself in: it comes first. Raises: UnknownName, ModelUnavailable.
        """
        key = (scope.version, scope.datasets, find.meaning, find.like)
        with self._lock:
            if key in self._similarities:
                self._similarities.move_to_end(key)
                return self._similarities[key]
        found = self._neighbours.similarity(self._vector(find))[scope.rows]
        with self._lock:
            self._similarities[key] = found
            while len(self._similarities) > _REMEMBERED:
                self._similarities.popitem(last=False)
        return found

    def _vector(self, find: Find) -> NDArray[np.float32]:
        if find.like:
            ordinal = int(self._workspace.columns.ordinals_of([find.like])[0])
            vector = self._neighbours.vector(ordinal)
            if vector is None:
                raise UnknownName(f"the candidate {find.like} has no embedding", where="like",
                                  fix="Score it with the scorer clip.")
            return vector
        key = (self._neighbours.key, find.meaning)
        with self._lock:
            if key in self._vectors:
                return self._vectors[key]
        vector = self._embed(*key)
        with self._lock:
            self._vectors[key] = vector
            while len(self._vectors) > _REMEMBERED:
                self._vectors.popitem(last=False)
        return vector

    def _by_similarity(self, scope: Scope, find: Find, order: str) -> Order:
        if not find.is_by_likeness:
            raise BadSetting("there is no search to order by", where="order", fix="Search by meaning or likeness.")
        key = (scope.version, scope.datasets, find.meaning, find.like, order)
        with self._lock:
            found = self._orders.get(key)
        if found is None:
            values = self.similarity(scope, find)
            found = Order(keys_of(-values if order.startswith("-") else values, scope.columns))
            with self._lock:
                self._orders[key] = found
                while len(self._orders) > 2:
                    self._orders.popitem(last=False)
        return found

