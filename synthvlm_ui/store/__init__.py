"""The workspace on disk: captions, shards of images, scores, the journal of decisions, and columns to serve them from.

Knows nothing of models, of rules, or of how anything is shown.
"""

from synthvlm_ui.store.decisions.events import Event, EventKind
from synthvlm_ui.store.decisions.journal import Journal
from synthvlm_ui.store.files.caption_curation import CaptionCurationStore, CaptionDecision
from synthvlm_ui.store.files.caption_embeddings import CaptionEmbeddings
from synthvlm_ui.store.files.captions import AddedCaptions, CaptionStore
from synthvlm_ui.store.files.clusterings import Clustering, ClusteringStore
from synthvlm_ui.store.files.names import checked_name
from synthvlm_ui.store.files.paths import WorkspacePaths
from synthvlm_ui.store.files.scores import ScoreStore, ShardScores
from synthvlm_ui.store.files.selections import SelectionStore
from synthvlm_ui.store.files.shards import ShardMember, ShardStore
from synthvlm_ui.store.memory.columns import CandidateColumns
from synthvlm_ui.store.memory.embedding_table import Embeddings
from synthvlm_ui.store.memory.index import Problem
from synthvlm_ui.store.workspace import Workspace

__all__ = [
    "AddedCaptions", "CandidateColumns", "CaptionCurationStore", "CaptionDecision", "CaptionEmbeddings",
    "CaptionStore", "Clustering", "ClusteringStore", "Embeddings", "Event", "EventKind", "Journal", "Problem",
    "ScoreStore", "SelectionStore", "ShardMember", "ShardScores", "ShardStore", "Workspace", "WorkspacePaths",
    "checked_name",
]
