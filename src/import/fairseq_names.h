/* import/fairseq_names.h: how fairseq calls the tensors of a Transformer, and transformers after it. */
#ifndef ATTN_IMPORT_FAIRSEQ_NAMES_H
#define ATTN_IMPORT_FAIRSEQ_NAMES_H

#include "import/weights.h"

/* Of fairseq, M2M-100 and mBART; MarianMT's, which has no norms at the ends, is attn_weights_hugging_face (export.h). */
extern const attn_weight_map attn_weights_fairseq;

#endif
