/* tests/support/tiny_encoder_file.h: the encoder of tiny_encoder.h as a file, with its words. Include cmocka.h first. */
#ifndef ATTN_TESTS_TINY_ENCODER_FILE_H
#define ATTN_TESTS_TINY_ENCODER_FILE_H

#include <stdlib.h>

#include "support/tiny_encoder.h"
#include "text/tokenizer_json.h"

static inline void tiny_encoder_write(const attn_encoder_config *config, const char *path) {
    attn_encoder *model = tiny_encoder(config, false);
    attn_error error = {0};
    char *words;
    size_t size;
    assert_int_equal(
        attn_tokenizer_vocab_txt(tiny_words, sizeof tiny_words - 1, true, &words, &size, &error),
        ATTN_OK);
    assert_int_equal(attn_encoder_save(model, ATTN_STORE_F32, words, size, NULL, 0, path, &error),
                     ATTN_OK);
    free(words);
    attn_encoder_free(model);
}

#endif
