/* cli/show_page.h: `attn show -o FILE.html`: the page of `attn serve` with a sentence in it. */
#ifndef ATTN_CLI_SHOW_PAGE_H
#define ATTN_CLI_SHOW_PAGE_H

#include "show/document.h"

enum { ATTN_PAGE_SENTENCES = 2 };

/* Whether the path's end says that it is to be a page. */
bool attn_is_page(const char *path);
/* One sentence, or two to compare. A warning is printed when they are so long that the steps are left
 * out. Written atomically. */
ATTN_MUST_CHECK attn_status attn_page_write(const attn_document_request *sentences, size_t count,
                                            const char *path, attn_error *error);

#endif
