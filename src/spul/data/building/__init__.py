"""Forget sets from raw rows: by the entities that a text names, by clusters of texts, by the values of a column."""

from spul.data.building.build import Built, build
from spul.data.building.clusters import Clusters
from spul.data.building.columns import ColumnValues
from spul.data.building.entities import Entities, FoundEntities
from spul.data.building.rule import Rule
from spul.data.building.write import write_splits

__all__ = ["Built", "Clusters", "ColumnValues", "Entities", "FoundEntities", "Rule", "build", "write_splits"]
