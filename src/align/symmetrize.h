/* align/symmetrize.h: one set of links from what two directions say.
 *
 * I source words, J target words. Next: align/aligner.h. */
#ifndef ATTN_ALIGN_SYMMETRIZE_H
#define ATTN_ALIGN_SYMMETRIZE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum attn_symmetry {
    /* Where the geometric mean of both chances is above the threshold (Liang, Taskar and Klein 2006, section 4). */
    ATTN_SYMMETRY_POSTERIOR,
    /* The rest starts from the likeliest source word of each target word (forward) and the likeliest target word of
     * each source word (backward), where that is likelier than the empty word. grow-diag: the links of both, then
     * those of one that touch a link, diagonally too, while one of their words has none; final: then those of
     * which one word has none; final-and: of which neither has (Koehn, Och and Marcu 2003; Och and Ney 2003). */
    ATTN_SYMMETRY_GROW_DIAG_FINAL_AND,
    ATTN_SYMMETRY_GROW_DIAG_FINAL,
    ATTN_SYMMETRY_GROW_DIAG,
    ATTN_SYMMETRY_INTERSECTION,
    ATTN_SYMMETRY_UNION,
    ATTN_SYMMETRY_FORWARD,
    ATTN_SYMMETRY_BACKWARD,
} attn_symmetry;

/* As the tool spells them, in the same order; then NULL. */
extern const char *const attn_symmetry_names[];

/* forward: [J, I + 1], the chances of source words for each target word, the empty word last; backward: [I, J + 1],
 * the other way. linked: [I, J]. work: I + J + 2 I J bytes. */
void attn_symmetrize(attn_symmetry how, double threshold, int64_t sources, int64_t targets,
                     const double *forward, const double *backward, bool *linked, bool *work);

#endif
