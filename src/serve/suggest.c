/* serve/suggest.c: one line a suggestion, written whole. */
#include "serve/suggest.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "io/json_write.h"

enum { FILE_LIMIT = 64 << 20 }; /* bytes: strangers fill it */

/* One write: lines of requests that come at once do not mix. */
static bool append(const char *path, const char *line, size_t length, bool *full) {
    struct stat info;
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    *full = file >= 0 && fstat(file, &info) == 0 && info.st_size > FILE_LIMIT;
    bool good = file >= 0 && !*full && write(file, line, length) == (ssize_t)length;
    int number = errno;
    if (file >= 0) {
        close(file);
    }
    errno = number;
    return good;
}

static char *make_line(const char *const value[4]) {
    char when[32];
    time_t now = time(NULL);
    struct tm parts;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    return attn_json_dump(json_pack("{s:s, s:s, s:s, s:s, s:s}", "time", when, "source", value[0],
                                    "target", value[1], "q", value[2], "s", value[3]),
                          JSON_COMPACT);
}

attn_job *attn_suggest(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    static const char *const names[] = {"source", "target", "q", "s"};
    const char *value[4];
    bool full;
    for (int i = 0; i < 4; i++) {
        value[i] = attn_parameter_text(p, names[i]);
        if (value[i] == NULL || !attn_utf8_whole(value[i], strlen(value[i])) ||
            strlen(value[i]) > 4 * (size_t)s->character_limit) {
            attn_http_error(answer, 400, "Invalid request: %s %s parameter",
                            value[i] == NULL ? "missing" : "wrong", names[i]);
            return NULL;
        }
    }
    if (s->suggestions == NULL) {
        attn_http_error(answer, 403, "Suggestions are disabled on this server.");
        return NULL;
    }
    char *line = make_line(value);
    size_t length = line != NULL ? strlen(line) : 0;
    if (line != NULL) {
        line[length] = '\n'; /* in the place of the NUL */
    }
    if (line != NULL && append(s->suggestions, line, length + 1, &full)) {
        attn_http_json(answer, json_pack("{s:b}", "success", 1));
    } else {
        attn_http_error(answer, 500, "Cannot keep the suggestion: %s",
                        line == NULL ? "out of memory"
                        : full       ? "too many"
                                     : strerror(errno));
    }
    free(line);
    return NULL;
}
