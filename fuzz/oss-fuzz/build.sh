#!/bin/bash -eu
# Builds every target of fuzz/ with its seeds and its dictionary into $OUT.
cd "$SRC/oauthspec"
cargo fuzz build -O --features whole
for target in $(fuzz/targets); do
    cp "fuzz/target/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    zip -jqr "$OUT/${target}_seed_corpus.zip" "fuzz/corpus/$target"
    cp "fuzz/dict/$target.dict" "$OUT/"
done
