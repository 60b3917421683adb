"""Turns a corpus into word ids: reads text from files, folders, pipes, tables or memory, and
splits, counts and numbers its words.

Importing this package loads only NumPy: Arrow and `datasets` are imported when a corpus is read.
"""

from w2v.corpus.memory import is_in_memory
from w2v.corpus.read import read_corpus, read_memory
from w2v.corpus.store import TokenStore
from w2v.corpus.vocabulary import Vocabulary

__all__ = ["TokenStore", "Vocabulary", "is_in_memory", "read_corpus", "read_memory"]
