#!/bin/bash -eu
# Builds every target of fuzz/ with its seeds and its dictionary into $OUT.
cd "$SRC/oauthspec"
cargo fuzz build -O
for source in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    cp "fuzz/target/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    zip -jr "$OUT/${target}_seed_corpus.zip" "fuzz/corpus/$target"
    cp "fuzz/dict/$target.dict" "$OUT/"
done
