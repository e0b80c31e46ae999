"""Forget by topic: some clusters of texts. Bhaila et al. 2025, section 4 (their Yelp)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from spul.data.building.rule import Fitted, RawRow, Rule, Share, draw_groups
from spul.data.sentences import Embed, sentence_encoder, unit_rows
from spul.errors import DataError

__all__ = ["Clusters"]

DIMENSIONS = 100
"""Of TF-IDF after the singular value decomposition (latent semantic analysis)."""

STARTS = 4
"""k-means is started so often, and the best outcome kept."""

TERMS, NEAREST = 8, 50
"""A cluster is described by the commonest words of the rows nearest to its centre."""


class Clusters(Rule):
    """Cluster the training texts by k-means with cosine distance, draw some clusters, forget the rows in them.

    A test row is in the cluster whose centre is nearest, like a training row. A text without any known word is in none.

    Attributes:
        count: how many clusters there are.
        forget_share: share of the training rows that the drawn clusters have, at most.
        embedder: a sentence-transformers model; TF-IDF with a singular value decomposition where missing.
    """

    count: Annotated[int, Field(ge=2)]
    forget_share: Share = 0.05
    embedder: str | None = None

    def fit(self, train: Sequence[RawRow], seed: int) -> Fitted:
        """Return the centres and which of them are drawn.

        Raises:
            DataError: there are fewer texts than clusters, or no words in them.
            MissingDependencyError: sentence-transformers is asked for and not installed.
        """
        texts = [row.text for row in train]
        if len(set(texts)) < self.count:
            raise DataError(
                f"expected at least {self.count} different texts for as many clusters, got {len(set(texts))}"
            )
        embed = _tfidf(texts, seed) if self.embedder is None else sentence_encoder(self.embedder)
        vectors = embed(texts)
        centres = _centres(vectors, self.count, seed)
        groups: defaultdict[str, set[int]] = defaultdict(set)
        for i, cluster in enumerate(_nearest(vectors, centres).tolist()):
            if cluster >= 0:
                groups[str(cluster)].add(i)
        drawn = draw_groups(groups, len(train), self.forget_share, seed)
        numbers = np.array([int(name) for name in drawn])
        described = {
            name: {"rows": len(groups[name]), "terms": _terms(texts, vectors, centres[int(name)], groups[name])}
            for name in drawn
        }
        return Fitted(
            lambda rows: np.isin(_nearest(embed([row.text for row in rows]), centres), numbers).tolist(),
            {"clusters": described, "sizes": sorted((len(rows) for rows in groups.values()), reverse=True)},
        )


def _tfidf(texts: Sequence[str], seed: int) -> Embed:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(sublinear_tf=True, min_df=2, stop_words="english")
    try:
        counts = words.fit_transform(texts)
    except ValueError as error:
        raise DataError(f"the texts have too few words in common to be clustered: {error}") from error
    svd = TruncatedSVD(min(DIMENSIONS, counts.shape[1] - 1), random_state=seed) if counts.shape[1] > 2 else None
    reduce: Any = svd.fit(counts).transform if svd is not None else lambda sparse: sparse.toarray()
    return lambda rows: unit_rows(reduce(words.transform(rows)))


def _centres(vectors: Float[np.ndarray, "n d"], count: int, seed: int) -> Float[np.ndarray, "k d"]:
    """Return unit centres: of unit vectors the squared distance is 2 - 2 cos, so that plain k-means does."""
    from sklearn.cluster import KMeans

    found = KMeans(count, n_init=STARTS, random_state=seed).fit(vectors[np.linalg.norm(vectors, axis=1) > 0])
    return unit_rows(found.cluster_centers_)


def _nearest(vectors: Float[np.ndarray, "n d"], centres: Float[np.ndarray, "k d"]) -> Int[np.ndarray, " n"]:
    """Return each row's centre of largest cosine, -1 for a row without direction."""
    nearest: Int[np.ndarray, " n"] = np.where(np.any(vectors, axis=1), (vectors @ centres.T).argmax(axis=1), -1)
    return nearest


def _terms(
    texts: Sequence[str], vectors: Float[np.ndarray, "n d"], centre: Float[np.ndarray, " d"], rows: AbstractSet[int]
) -> list[str]:
    from sklearn.feature_extraction.text import CountVectorizer

    members = np.array(sorted(rows))
    near = members[np.argsort(-(vectors[members] @ centre), kind="stable")[:NEAREST]]
    words = CountVectorizer(stop_words="english", binary=True)
    counts = np.asarray(words.fit_transform([texts[i] for i in near]).sum(axis=0)).ravel()
    names = words.get_feature_names_out()
    return [str(names[i]) for i in np.argsort(-counts, kind="stable")[:TERMS]]
