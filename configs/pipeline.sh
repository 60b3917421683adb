#!/bin/sh
# From a text to phrases, vectors, scores, neighbours, a table for other programs, and a map:
#   sh configs/pipeline.sh data/demo.txt.xz out --epochs 2
# What follows the folder is for `w2v train`. Besides w2v it needs jq.
set -eu
text=$1 out=$2
shift 2
mkdir -p "$out"

w2v phrases "$text" --scoring npmi -o "$out/phrases.tsv" --json --quiet > "$out/phrases.json"
jq -r '"\(.phrases) phrases in \(.output)"' "$out/phrases.json"

run=$(w2v train "$text" --phrases "$out/phrases.tsv" --output "$out/run" --quiet "$@")

# a line for each set: analogies that are right, rank correlation of similarities
w2v eval "$run" --json > "$out/scores.json"
jq -r '(.analogies + .similarity) | to_entries[] | [.key, .value.accuracy // .value.spearman] | @tsv' "$out/scores.json"

# the words nearest to the most frequent phrases
cut -f 1 "$run/vocab.tsv" | grep _ | head -n 5 | w2v nearest "$run" - -k 3 --json > "$out/nearest.jsonl"
jq -r '[.query, .neighbours[].word] | @tsv' "$out/nearest.jsonl"

w2v export "$run" -o "$out/vectors.parquet"

w2v map "$run" -o "$out/map.html" --words 1000 --json --quiet > "$out/map.json"
jq -r '"\(.words) words in \(.output)"' "$out/map.json"
