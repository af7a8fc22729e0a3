/* attn/attn.h: all of libattn.
 *
 * Reading order: version, status, threads, attention (the kernel), cache, matmul, tape, layers,
 * optimizer, translator, search, encoder, decoder, generate; for pictures images and segmenter. */
#ifndef ATTN_ATTN_H
#define ATTN_ATTN_H

#include "attn/attention.h"
#include "attn/cache.h"
#include "attn/decoder.h"
#include "attn/encoder.h"
#include "attn/generate.h"
#include "attn/images.h"
#include "attn/layers.h"
#include "attn/matmul.h"
#include "attn/matmul_i8.h"
#include "attn/memory.h"
#include "attn/optimizer.h"
#include "attn/safetensors.h"
#include "attn/search.h"
#include "attn/segmenter.h"
#include "attn/shortlist.h"
#include "attn/status.h"
#include "attn/tape.h"
#include "attn/threads.h"
#include "attn/translator.h"
#include "attn/version.h"

#endif
