/* cli/probe_links.h: the probe of cross-attention: a word and the word that it is aligned with. */
#ifndef ATTN_CLI_PROBE_LINKS_H
#define ATTN_CLI_PROBE_LINKS_H

#include "pipeline/model.h"
#include "show/probe.h"

/* Whether the file is such a set: its first line has three columns, the last of which begins like a link. An
 * unreadable file is not. */
bool attn_probe_is_links(const char *path);
/* Lines SENTENCE<tab>TRANSLATION<tab>LINKS (io/word_links.h, "0-0 1?2"): for every word of the translation that has
 * links, whether the source word that a head looks at most is one of them (cli/align_model.h). */
ATTN_MUST_CHECK attn_status attn_probe_links(const attn_model *model, const char *path,
                                             attn_probe *out, attn_error *error);

#endif
