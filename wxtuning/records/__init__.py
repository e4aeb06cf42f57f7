"""Rows to training lines: mapping, cleaning, checks, splits, the data report.

Knows columns, labels and counts; knows nothing of where rows come from, of tokens or of models. No row is lost:
rows read = rows kept + rows removed (by reason) + rows rejected (by code).
"""

from wxtuning.records.columns import columns_of
from wxtuning.records.conversion import convert
from wxtuning.records.inference import Inference, infer
from wxtuning.records.reading import Item, rejects
from wxtuning.records.record import Record, Row, jsonl, label_counts
from wxtuning.records.report import Converted, DataReport, with_labels
from wxtuning.records.splits import groups_of, held_out, leaked, sampled
from wxtuning.records.streaming import convert_file, convert_into
from wxtuning.rows.verdict import Reject

__all__ = [
    "Converted",
    "DataReport",
    "Inference",
    "Item",
    "Record",
    "Reject",
    "Row",
    "columns_of",
    "convert",
    "convert_file",
    "convert_into",
    "groups_of",
    "held_out",
    "infer",
    "jsonl",
    "label_counts",
    "leaked",
    "rejects",
    "sampled",
    "with_labels",
]
