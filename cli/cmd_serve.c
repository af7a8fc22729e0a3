/* cli/cmd_serve.c: `attn serve`: translations over HTTP. Next: src/serve/serve.h. */
#include <string.h>

#include "attn/threads.h"
#include "command.h"
#include "model.h"
#include "serve/serve.h"

typedef struct options {
    attn_option_list models, glossaries, names, proxies;
    int64_t threads;
    bool quiet;
    attn_serve_options serve;
} options;

static const options defaults = {.serve = {.host = "127.0.0.1",
                                           .port = 5000,
                                           .access_log = "-",
                                           .beam = 4,
                                           .length_penalty = 1.0,
                                           .batch_tokens = 2048,
                                           .batch_wait = 2,
                                           .queue = 256,
                                           .body_limit = 1 << 20,
                                           .header_limit = 8192,
                                           .header_lines = 64,
                                           .receive_seconds = 10,
                                           .connections = 2048,
                                           .connections_per_address = 256,
                                           .character_limit = 5000,
                                           .text_limit = 128,
                                           .alternatives_limit = 8,
                                           .pixel_limit = 2000000,
                                           .picture_memory = 512,
                                           .cache = 16,
                                           .file_limit = 8 << 20,
                                           .file_memory = 64,
                                           .file_seconds = 600,
                                           .drain_seconds = 30}};

/* clang-format off */
#define FIELD(name) offsetof(options, serve.name)
static const attn_option table[] = {
    {"model", 'm', ATTN_OPTION_LIST, offsetof(options, models), .value = "FILE",
     .help = "a translator (default: that of `attn translate`, and those beside it) or a segmenter; may be repeated, with one segmenter at most. When several translators serve the same languages, /translate uses the first unless its parameter `model` names another; the page offers all"},
    {"host", 0, ATTN_OPTION_TEXT, FIELD(host), .value = "ADDRESS",
     .help = "address to listen on (default 127.0.0.1)"},
    {"port", 'p', ATTN_OPTION_INT, FIELD(port), 0, 65535, .value = "N",
     .help = "port; 0 picks a free one and prints it (default 5000)"},
    {"glossary", 'g', ATTN_OPTION_LIST, offsetof(options, glossaries), .value = "[EN-FR:]FILE",
     .help = "fixed terms, one SOURCE<TAB>TARGET per line, for all models or for one pair of languages"},
    {"api-keys", 0, ATTN_OPTION_FILE, FIELD(access.keys), .value = "FILE",
     .help = "require one of the API keys in FILE, one per line, each perhaps with its number of requests a minute behind it; SIGHUP reads it again"},
    {"name", 0, ATTN_OPTION_LIST, offsetof(options, names), .value = "HOST",
     .help = "a name that this server is reached by, such as translate.example.org; may be repeated. /metrics and /attn/models answer under these names, IP addresses and names without a dot, and else only with a key"},
    {"requests-per-minute", 0, ATTN_OPTION_INT, FIELD(access.per_minute), 0, 1e9, .value = "N",
     .help = "limit on the requests of an address, or of a key whose line in --api-keys has no number behind it; more are answered 429 (default 0: no limit)"},
    {"trusted-proxy", 0, ATTN_OPTION_LIST, offsetof(options, proxies), .value = "ADDRESS",
     .help = "a proxy, or a network such as 10.0.0.0/8, whose X-Forwarded-For and X-Forwarded-Proto say who asks, and how; may be repeated"},
    {"beam", 'b', ATTN_OPTION_INT, FIELD(beam), 1, 64, .value = "N",
     .help = "width of the beam search; 1 is greedy (default 4)"},
    {"length-penalty", 0, ATTN_OPTION_REAL, FIELD(length_penalty), -10, 10, .value = "A",
     .help = "score = log-probability / length^A (default 1)"},
    {"threads", 'j', ATTN_OPTION_INT, offsetof(options, threads), 1, 256, .value = "N",
     .help = "threads that translate (default: all cores)"},
    {"batch-tokens", 0, ATTN_OPTION_INT, FIELD(batch_tokens), 1, 1e6, .value = "N",
     .help = "tokens translated together; affects speed only (default 2048)"},
    {"batch-wait", 0, ATTN_OPTION_INT, FIELD(batch_wait), 0, 60000, .value = "MS",
     .help = "longest wait for other requests to share a batch (default 2)"},
    {"queue", 0, ATTN_OPTION_INT, FIELD(queue), 1, 1e6, .value = "N",
     .help = "requests that may wait; further ones are answered 429 (default 256)"},
    {"char-limit", 0, ATTN_OPTION_INT, FIELD(character_limit), 1, 1e7, .value = "N",
     .help = "limit on the characters of a text (default 5000)"},
    {"text-limit", 0, ATTN_OPTION_INT, FIELD(text_limit), 1, 1e6, .value = "N",
     .help = "limit on the texts of a request (default 128)"},
    {"alternatives-limit", 0, ATTN_OPTION_INT, FIELD(alternatives_limit), 0, 32, .value = "N",
     .help = "limit on alternatives and n_best (default 8)"},
    {"pixel-limit", 0, ATTN_OPTION_INT, FIELD(pixel_limit), 1, 1e9, .value = "N",
     .help = "limit on the pixels of a picture (default 2000000)"},
    {"picture-memory", 0, ATTN_OPTION_INT, FIELD(picture_memory), 16, 1e6, .value = "MIB",
     .help = "memory that the model may take for a picture: larger ones are segmented in tiles, and made smaller to show their attention (default 512)"},
    {"cache", 0, ATTN_OPTION_INT, FIELD(cache), 0, 1e6, .value = "MIB",
     .help = "memory for answers to /translate that are given again; 0: none is kept (default 16)"},
    {"body-limit", 0, ATTN_OPTION_INT, FIELD(body_limit), 1, 1e9, .value = "BYTES",
     .help = "limit on a request's body (default 1048576)"},
    {"file-limit", 0, ATTN_OPTION_INT, FIELD(file_limit), 0, 1e9, .value = "BYTES",
     .help = "limit on a document, and on the text unpacked from it; 0 translates none (default 8388608)"},
    {"file-memory", 0, ATTN_OPTION_INT, FIELD(file_memory), 1, 1e6, .value = "MIB",
     .help = "memory for translated documents that wait to be fetched; the oldest go first (default 64)"},
    {"file-seconds", 0, ATTN_OPTION_INT, FIELD(file_seconds), 1, 1e6, .value = "N",
     .help = "how long a translated document waits to be fetched (default 600)"},
    {"header-limit", 0, ATTN_OPTION_INT, FIELD(header_limit), 256, 1e6, .value = "BYTES",
     .help = "limit on a request's header (default 8192)"},
    {"header-lines", 0, ATTN_OPTION_INT, FIELD(header_lines), 1, 1e4, .value = "N",
     .help = "limit on the lines of a request's header (default 64)"},
    {"receive-seconds", 0, ATTN_OPTION_INT, FIELD(receive_seconds), 1, 3600, .value = "N",
     .help = "time for a complete request to arrive, and limit for an idle connection (default 10)"},
    {"connections", 0, ATTN_OPTION_INT, FIELD(connections), 1, 1e5, .value = "N",
     .help = "limit on open connections (default 2048)"},
    {"connections-per-address", 0, ATTN_OPTION_INT, FIELD(connections_per_address), 1, 1e5,
     .value = "N", .help = "limit on connections from one address; raise it behind a proxy (default 256)"},
    {"drain-seconds", 0, ATTN_OPTION_INT, FIELD(drain_seconds), 0, 3600, .value = "N",
     .help = "time to finish open requests when asked to stop (default 30)"},
    {"access-log", 0, ATTN_OPTION_FILE, FIELD(access_log), .value = "FILE",
     .help = "access log as JSON lines, one per request, never with its text; - is stdout (default -)"},
    {"suggestions", 0, ATTN_OPTION_FILE, FIELD(suggestions), .value = "FILE",
     .help = "take better translations at /suggest, and append them to FILE as JSON lines, up to 64 MiB"},
    {"quiet", 'q', ATTN_OPTION_FLAG, offsetof(options, quiet), .help = "write no access log"},
    {"no-watch", 0, ATTN_OPTION_FLAG, FIELD(no_watch),
     .help = "reload models only on SIGHUP, not when their files change"},
};
/* clang-format on */

static int serve_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    (void)operand_count;
    (void)operand;
    attn_model_list found = {.count = 0};
    attn_error error;
    attn_serve_options serve = o->serve;
    serve.sources = (attn_serve_sources){.model = o->models.item,
                                         .model_count = o->models.count,
                                         .glossary = o->glossaries.item,
                                         .glossary_count = o->glossaries.count};
    if (o->models.count == 0) {
        if (attn_models_find(&found, &error) != ATTN_OK) {
            return attn_say_error(&error);
        }
        serve.sources.model = (const char *const *)found.path;
        serve.sources.model_count = found.count;
    }
    serve.access.names = o->names.item;
    serve.access.name_count = o->names.count;
    serve.access.proxies = o->proxies.item;
    serve.access.proxy_count = o->proxies.count;
    serve.access_log = o->quiet ? NULL : serve.access_log;
    attn_set_threads((int)o->threads);
    attn_status status = attn_serve_run(&serve, &error);
    attn_model_list_free(&found);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_serve = {
    .name = "serve",
    .gives_back = true,
    .environment = true,
    .summary = "Serve translations over HTTP",
    .usage = "[OPTION]...",
    .description =
        "Speaks LibreTranslate's interface: existing clients only need a new address. The "
        "endpoints are /translate, /translate_file, /download_file, /detect, /languages, /health, "
        "/spec and /frontend/settings, and "
        "/metrics for Prometheus. /spec also describes attn's additions: scores, alignments, "
        "n_best, stream, and, with a segmenter, /attn/segment and /attn/attend for "
        "pictures.\nRequests are translated in batches; an answer does not depend on what else is "
        "in its batch. SIGTERM finishes open requests and stops; SIGHUP, or a changed file, "
        "reloads a model; SIGHUP also the API keys.\nEvery option may come from the environment: "
        "ATTN_API_KEYS stands for --api-keys, "
        "ATTN_QUIET=1 for --quiet, and commas part the values of one that may be repeated. The "
        "command line goes before.\nThe server has no TLS: put it behind a proxy "
        "before other machines may "
        "reach it (examples/nginx.conf).",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .max_operands = 0,
    .run = serve_run,
};
