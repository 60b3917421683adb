"""The names of settings and values in word2vec.c, fastText, gensim and PyTorch's examples, for
suggestions to their users."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

NOTHING = "?"  # w2v has no such setting; a suggestion would mislead

# Our name, then the names elsewhere, without hyphens and underscores, in lower case.
SETTINGS = """
dim: size vectorsize layer1size embeddingsize embeddingdim embsize emsize dimension
epochs: iter niter epoch iterations numepochs nepochs
lr: alpha startalpha learningrate eta
threads: workers thread numthreads nthreads njobs numworkers
window: ws windowsize contextsize contextwindow
model skip-gram: sg skipgram
model cbow: cbow
loss hsigmoid: hs
negatives: negative neg numnegatives negativesamples numsampled numnegsamples nsamples
noise_power: nsexponent
sample: t subsample subsampling downsample samplingfactor
cbow_hidden: cbowmean
max_vocab: maxvocabsize maxfinalvocab vocabsize maxwords
max_sentence: maxsentencelength maxlinelength
init: pretrainedvectors pretrained initfrom
corpus: train input corpusfile sentences textfile data
valid: validation validfile dev heldout
device cuda: cuda gpu usegpu
batch_size: batchwords batch bs
subwords: minn maxn
buckets: bucket
hidden: nhid hiddensize hiddendim
layers: nlayers numlayers
heads: nhead nheads numheads
bptt: seqlen sequencelength unroll
smoothing: labelsmoothing
?: minalpha wordngrams lrupdaterate classes debug verbose hashfxn trimrule
?: sortedvocab computeloss shrinkwindows nullword binary savevocab readvocab saveoutput
"""
# What is no setting, although one may take it for one, then the names it is looked for by.
OPTIONS = """
use the argument `use_cache` of train: cache nocache usecache
use the argument `progress` of train: progress quiet silent verbose
only the command line has `dry_run`: dryrun
"""
VALUES = """
hsigmoid: hs hierarchicalsoftmax hierarchical hsoftmax hierarchicalsigmoid huffman
neg: ns negative negativesampling sgns
nce: noisecontrastiveestimation noisecontrastive nceloss
softmax: crossentropy ce full fullsoftmax logsoftmax
sampled-softmax: sampled ss sampledsoftmaxloss
adaptive-softmax: adaptive adaptivelogsoftmax
label-smoothing: ls smoothed
am-softmax: cosface additivemargin
l-softmax: largemargin largemarginsoftmax
sm-softmax: softmargin softmarginsoftmax
skip-gram: sg
lm: languagemodel rnn rnnlm
"""


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Returns the candidate that other systems call `name`, possibly followed by a space and a
    value, or else the one with the most similar spelling; None if none is similar."""
    known = list(candidates)
    if ours := renamed(name, known):
        return ours
    if NAMES_OF_SETTINGS.get(_bare(name)) == NOTHING:
        return None
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return close[0] if close else None


def instead(name: str) -> str | None:
    """Returns what does what `name` would do if it were a setting, or None."""
    return OPTIONS_BY_NAME.get(_bare(name))


def renamed(name: str, candidates: Iterable[str]) -> str | None:
    """Returns the candidate for which `name` is another spelling, or another system's name."""
    bare = {_bare(candidate): candidate for candidate in candidates}
    for ours in (name, NAMES_OF_VALUES.get(_bare(name)), NAMES_OF_SETTINGS.get(_bare(name))):
        ours, _, value = (ours or NOTHING).partition(" ")
        if _bare(ours) in bare:
            return f"{bare[_bare(ours)]} {value}".strip()
    return None


def _by_other_name(table: str) -> dict[str, str]:
    lines = (line.split(": ") for line in table.strip().splitlines())
    return {other: ours for ours, others in lines for other in others.split()}


def _bare(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


NAMES_OF_SETTINGS, NAMES_OF_VALUES = _by_other_name(SETTINGS), _by_other_name(VALUES)
OPTIONS_BY_NAME = _by_other_name(OPTIONS)
