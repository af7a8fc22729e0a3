/* Prints BLEU and chrF of two files, for sacrebleu_compare.py.
 *
 *     score_driver TOKENIZER LOWERCASE SMOOTH HYPOTHESES REFERENCES
 *
 * Line 1: score, four precisions, brevity penalty, two lengths, signature. Line 2: chrF, signature.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "text/corpus.h"
#include "text/score.h"

static int complain(const attn_error *error) {
    char message[1024];
    fprintf(stderr, "score_driver: %s\n", attn_error_format(error, message, sizeof message));
    return 1;
}

int main(int argc, char **argv) {
    attn_error error = {0};
    attn_lines hypotheses = {0}, references = {0};
    attn_bleu_tokenizer tokenizer;
    attn_bleu bleu;
    attn_chrf chrf;
    if (argc != 6) {
        fprintf(stderr, "usage: score_driver TOKENIZER LOWERCASE SMOOTH HYPOTHESES REFERENCES\n");
        return 2;
    }
    if (attn_bleu_tokenizer_parse(argv[1], &tokenizer, &error) != ATTN_OK ||
        attn_lines_read(argv[4], &hypotheses, &error) != ATTN_OK ||
        attn_lines_read(argv[5], &references, &error) != ATTN_OK) {
        return complain(&error);
    }
    if (hypotheses.count != references.count) {
        fprintf(stderr, "score_driver: %zu and %zu lines\n", hypotheses.count, references.count);
        return 1;
    }
    const char *const *hypothesis = (const char *const *)hypotheses.line;
    const char *const *reference = (const char *const *)references.line;
    if (attn_bleu_compute(hypothesis, reference, hypotheses.count, tokenizer, atoi(argv[2]),
                          atoi(argv[3]), &bleu, &error) != ATTN_OK ||
        attn_chrf_compute(hypothesis, reference, hypotheses.count, &chrf, &error) != ATTN_OK) {
        return complain(&error);
    }
    printf("%.9f %.9f %.9f %.9f %.9f %.9f %" PRId64 " %" PRId64 " %s\n", bleu.score,
           bleu.precision[0], bleu.precision[1], bleu.precision[2], bleu.precision[3],
           bleu.brevity_penalty, bleu.hypothesis_length, bleu.reference_length, bleu.signature);
    printf("%.9f %s\n", chrf.score, chrf.signature);
    attn_lines_free(&hypotheses);
    attn_lines_free(&references);
    return 0;
}
