# What the shipped model's card counts: 300 awkward lines and 500 tags come out no worse than when they were counted.
command -v python3 >/dev/null || { echo "skipped: python3 is missing"; exit 77; }
export ATTN="$ATTN_TOOL"
model=$ATTN_SOURCE_DIR/models/en-fr.safetensors
"$ATTN_SOURCE_DIR/scripts/robust-lines" "$model" --show --at-least 298 && "$ATTN_SOURCE_DIR/scripts/tag-cases" "$model" --show --at-least 496
