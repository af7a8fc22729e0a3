/* serve/connection.c: between libmicrohttpd and the service.
 *
 * One thread of microhttpd moves all bytes and does nothing else, so that /health answers at once whatever is asked. A
 * request is suspended and read at the desk, a thread of its own: it is answered there, or becomes a job of the batcher's
 * worker, whose answer is written at the desk again. Then the request is resumed, and its answer sent.
 *
 * microhttpd, the desk and the batcher each hold the request while they have it; the last one to let go frees it.
 * Next: server.c. */
#include "io/json_write.h"
#include "serve/connection.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "serve/files.h"
#include "serve/router.h"
#include "serve/wellformed.h"

/* Where a request is. */
typedef enum phase { ARRIVING, READING, RUNNING, ANSWERING, ANSWERED } phase;

typedef struct attn_request {
    attn_server *server;
    struct MHD_Connection *connection;
    char *method, *path;
    attn_buffer body;
    bool too_large;
    attn_address address;
    bool secure;
    uint64_t client;
    attn_http_request http;              /* of the whole request */
    attn_batch_group reading, answering; /* its turns at the desk */
    attn_job *job;
    attn_http_answer answer; /* once ANSWERED, unless it is a stream */
    pthread_mutex_t lock;    /* guards the two that follow */
    phase phase;
    bool suspended;
    atomic_bool left; /* its client has */
    struct attn_request *next_left;
    atomic_int holders;
    double whole; /* when the request had arrived */
    int status;
    size_t sent;
} request;

/* ---- requests ---- */

static enum MHD_Result add_forwarded(void *context, enum MHD_ValueKind kind, const char *key,
                                     const char *value) {
    attn_buffer *all = context;
    (void)kind;
    if (strcasecmp(key, "X-Forwarded-For") == 0) {
        attn_buffer_text(all, all->length > 0 ? "," : "");
        attn_buffer_text(all, value != NULL ? value : "");
    }
    return MHD_YES;
}

/* Who asks, and how. Several lines of the header are one, in their order (RFC 9110, 5.3). */
static void find_client(request *r) {
    const attn_access *access = r->server->service.access;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    attn_buffer forwarded = {0};
    r->address = attn_address_of(info != NULL ? info->client_addr : NULL);
    if (attn_access_trusts(access, &r->address)) {
        const char *protocol =
            MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "X-Forwarded-Proto");
        r->secure = protocol != NULL && strcasecmp(protocol, "https") == 0;
        MHD_get_connection_values(r->connection, MHD_HEADER_KIND, add_forwarded, &forwarded);
        r->address =
            attn_access_address(access, &r->address, forwarded.failed ? NULL : forwarded.data);
        attn_buffer_free(&forwarded);
    }
    r->client = attn_address_client(&r->address);
}

static request *make_request(attn_server *server, struct MHD_Connection *connection,
                             const char *method, const char *path) {
    request *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->server = server;
    r->connection = connection;
    r->method = strdup(method);
    r->path = strdup(path);
    r->whole = attn_clock();
    r->reading.ended = r->answering.ended = true;
    find_client(r);
    atomic_init(&r->holders, 1);
    pthread_mutex_init(&r->lock, NULL);
    atomic_fetch_add(&server->metrics.in_flight, 1);
    return r;
}

static void let_go(request *r) {
    if (atomic_fetch_sub(&r->holders, 1) > 1) {
        return;
    }
    attn_job_free(r->job);
    attn_http_answer_free(&r->answer);
    attn_buffer_free(&r->body);
    pthread_mutex_destroy(&r->lock);
    free(r->method);
    free(r->path);
    free(r);
}

static void suspend(request *r) {
    pthread_mutex_lock(&r->lock);
    r->suspended = true;
    MHD_suspend_connection(r->connection);
    pthread_mutex_unlock(&r->lock);
}

static void resume(request *r) {
    pthread_mutex_lock(&r->lock);
    if (r->suspended) {
        r->suspended = false;
        MHD_resume_connection(r->connection);
    }
    pthread_mutex_unlock(&r->lock);
}

static void enter(request *r, phase next) {
    pthread_mutex_lock(&r->lock);
    r->phase = next;
    pthread_mutex_unlock(&r->lock);
}

/* ---- answers ---- */

/* A client that would ask on finds another server, or this one as it starts again, on a new connection. */
static void close_when_stopping(attn_server *server, struct MHD_Response *response) {
    if (atomic_load(&server->stopping)) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
}

static void add_headers(struct MHD_Response *response, const attn_http_answer *answer) {
    static const char *const shared[][2] = {
        {"Access-Control-Allow-Origin", "*"},
        {"Access-Control-Allow-Headers", "Authorization, Content-Type"},
        {"Access-Control-Expose-Headers", "Authorization"},
        {"Access-Control-Allow-Methods", "GET, POST"},
        {"Access-Control-Max-Age", "1728000"},
    };
    for (size_t i = 0; i < sizeof shared / sizeof shared[0] && !answer->own; i++) {
        MHD_add_response_header(response, shared[i][0], shared[i][1]);
    }
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    if (answer->allow != NULL) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
    }
    if (answer->retry_after > 0) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%d", answer->retry_after);
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    if (answer->etag != NULL) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, answer->etag);
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
        MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
        MHD_add_response_header(response, "Content-Security-Policy", attn_content_security_policy);
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    } else {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    }
    if (answer->attachment[0] != '\0') {
        char disposition[200];
        snprintf(disposition, sizeof disposition, "attachment; filename=\"%s\"",
                 answer->attachment);
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_DISPOSITION, disposition);
    }
    if (answer->gzip) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    }
}

/* Takes the answer's body over. */
static enum MHD_Result send_answer(request *r, attn_http_answer *answer) {
    char *bytes;
    size_t length = answer->body.length;
    if (attn_buffer_take(&answer->body, &bytes, NULL) != ATTN_OK) {
        return MHD_NO;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, bytes, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(bytes);
        return MHD_NO;
    }
    add_headers(response, answer);
    close_when_stopping(r->server, response);
    r->status = answer->status;
    r->sent = length;
    enum MHD_Result result = MHD_queue_response(r->connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_error(request *r, int status, const char *text) {
    attn_http_answer answer = {0};
    attn_http_error(&answer, status, "%s", text);
    answer.retry_after = status == 429 ? 1 : 0;
    return send_answer(r, &answer);
}

static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t size) {
    (void)position;
    request *r = context;
    pthread_mutex_lock(&r->lock);
    long count = attn_job_read(r->job, buffer, size);
    if (count == 0) { /* under the lock, so that no wake comes between the look and the sleep */
        r->suspended = true;
        MHD_suspend_connection(r->connection);
    }
    pthread_mutex_unlock(&r->lock);
    r->sent += count > 0 ? (size_t)count : 0;
    return count < 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)count;
}

static enum MHD_Result send_stream(request *r) {
    attn_http_answer answer = {.status = 200, .content_type = "text/event-stream"};
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 8192, read_stream, r, NULL);
    if (response == NULL) {
        return MHD_NO;
    }
    add_headers(response, &answer);
    MHD_add_response_header(response, "X-Accel-Buffering",
                            "no"); /* nginx: pass events on at once */
    r->status = 200;
    enum MHD_Result result = MHD_queue_response(r->connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- limits on what comes in ---- */

static const char *header(const request *r, const char *name) {
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* A file may be larger than other bodies; the rest of its form has the room that they have. */
static int64_t body_limit(const request *r) {
    const attn_serve_options *o = r->server->options;
    return o->body_limit + (attn_router_takes_file(r->path) ? o->file_limit : 0);
}

static bool announces_too_much(const request *r) {
    const char *length = header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length != NULL && strtoull(length, NULL, 10) > (unsigned long long)body_limit(r);
}

static attn_socket *socket_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

typedef struct header_look {
    size_t lines, bytes, hosts, lengths, codings;
    bool malformed;
} header_look;

/* Spaces between colon and value. Both lie in the buffer that was read into; else it is one. */
static size_t spaces_before(const char *key, size_t key_size, const char *value) {
    uintptr_t colon = (uintptr_t)key + key_size, start = (uintptr_t)value;
    return value != NULL && start > colon && start - colon < 256 ? start - colon - 1 : 1;
}

static enum MHD_Result look_at_field(void *context, enum MHD_ValueKind kind, const char *key,
                                     size_t key_size, const char *value, size_t value_size) {
    header_look *look = context;
    look->lines++;
    look->bytes += key_size + value_size + 3 + spaces_before(key, key_size, value);
    if (kind == MHD_HEADER_KIND) {
        look->malformed = look->malformed || !attn_field_is_good(key, key_size, value, value_size);
        look->hosts += strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0;
        look->lengths += strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
        if (strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
            look->codings++;
            look->malformed = look->malformed || value == NULL || strcasecmp(value, "chunked") != 0;
        }
    }
    return MHD_YES;
}

/* libmicrohttpd takes a line with an empty name for the end of the header, a NUL for the end of a value,
 * and joins folded lines: whatever the lines that it tells of do not explain was malformed. */
static bool is_unexplained(const request *r, const header_look *header) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info != NULL && info->header_size > header->bytes + 2;
}

/* The status that the header alone earns; 0 for none. *why: the text that goes with it. */
static int check_header(const request *r, const char *version, const char **why) {
    const attn_serve_options *o = r->server->options;
    const attn_socket *opened = socket_of(r->connection);
    header_look header = {.malformed = opened == NULL || opened->bad_target};
    size_t target = opened != NULL ? opened->target_size : 0;
    header.bytes = strlen(r->method) + target + strlen(version) + 4;
    MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, look_at_field, &header);
    if (header.lines > (size_t)o->header_lines || header.bytes > (size_t)o->header_limit) {
        *why = "Request header fields too large";
        return 431;
    }
    /* Two ways to tell where a body ends are two requests to somebody (RFC 9112, 6.3). */
    if (header.malformed || header.hosts > 1 || header.lengths + header.codings > 1 ||
        is_unexplained(r, &header)) {
        *why = "Malformed request";
        return 400;
    }
    if (announces_too_much(r)) {
        *why = "Request body too large";
        return 413;
    }
    return 0;
}

void *attn_connection_target(void *context, const char *target, struct MHD_Connection *connection) {
    (void)context;
    attn_socket *opened = socket_of(connection);
    if (opened != NULL) {
        opened->bad_target = !attn_target_is_good(target);
        opened->target_size = strlen(target);
    }
    return NULL; /* the request begins with its header */
}

static void take_upload(request *r, const char *upload, size_t size) {
    if (r->too_large || size > (size_t)body_limit(r) - r->body.length) {
        r->too_large = true; /* the rest is read and forgotten, until the deadline */
        return;
    }
    attn_buffer_add(&r->body, upload, size);
}

static void set_deadline(struct MHD_Connection *connection, attn_server *server, double deadline) {
    attn_socket *opened = socket_of(connection);
    if (opened != NULL) {
        pthread_mutex_lock(&server->lock);
        opened->deadline = deadline;
        pthread_mutex_unlock(&server->lock);
    }
}

static void set_request(struct MHD_Connection *connection, attn_server *server, request *r) {
    attn_socket *opened = socket_of(connection);
    if (opened != NULL) {
        pthread_mutex_lock(&server->lock);
        opened->request = r;
        pthread_mutex_unlock(&server->lock);
    }
}

/* ---- handling ---- */

static enum MHD_Result add_query(void *context, enum MHD_ValueKind kind, const char *key,
                                 const char *value) {
    attn_http_request *http = context;
    (void)kind;
    if (http->query_count < ATTN_HTTP_PARAMETERS) {
        http->query[http->query_count++] = (attn_parameter){key, value != NULL ? value : ""};
    }
    return MHD_YES;
}

/* The answer is there: microhttpd calls again and sends it. */
static void hand_out(request *r) {
    enter(r, ANSWERED);
    resume(r);
}

static void refuse(request *r, int status, const char *text) {
    attn_http_error(&r->answer, status, "%s", text);
    if (status == 429) {
        r->answer.retry_after = 1;
        atomic_fetch_add(&r->server->metrics.refused, 1);
    }
    hand_out(r);
}

static void write_answer(void *context) {
    request *r = context;
    attn_job_answer(r->job, &r->answer);
}

static void written(void *context) {
    request *r = context;
    if (r->answer.status == 0) {
        write_answer(r); /* the desk gave it up before its turn: the server stops */
    }
    hand_out(r);
    let_go(r);
}

/* By the worker: there is more of a stream, or the job is done. */
static void wake(void *context, bool done) {
    request *r = context;
    if (!done || attn_job_streams(r->job)) {
        resume(r);
        if (done) {
            let_go(r);
        }
        return;
    }
    enter(r, ANSWERING);
    r->answering.work = write_answer;
    r->answering.done = written;
    r->answering.context = r;
    r->answering.client = r->client;
    if (!attn_batcher_submit(r->server->desk, &r->answering)) {
        written(r);
    }
}

/* There is no place for it. A proxy asks another server after a 503, and nobody after a 429. */
static void turn_away(request *r) {
    if (atomic_load(&r->server->stopping)) {
        refuse(r, 503, "The server is stopping");
    } else {
        refuse(r, 429, "Slowdown: too many requests are waiting");
    }
}

static void read_request(void *context) {
    request *r = context;
    r->job = attn_router_handle(&r->server->service, &r->http, &r->answer);
}

static void start_job(request *r) {
    bool streams = attn_job_streams(r->job);
    enter(r, RUNNING);
    atomic_fetch_add(&r->holders, 1);
    if (!attn_job_start(r->job, r->server->batcher, r->client, wake, r)) {
        turn_away(r);
        let_go(r);
        return;
    }
    if (streams) {
        resume(r);
    }
    if (atomic_load(&r->left)) { /* perhaps before there was a job */
        attn_job_give_up(r->job, r->server->batcher);
    }
}

static void was_read(void *context) {
    request *r = context;
    if (atomic_load(&r->reading.given_up)) {
        attn_http_answer_free(&r->answer);
        refuse(r, 503, "The server is stopping");
    } else if (r->job != NULL) {
        start_job(r);
    } else {
        hand_out(r);
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): this hold is another than that of the job */
    let_go(r);
}

static void collect(request *r) {
    r->http = (attn_http_request){
        .method = r->method,
        .path = r->path,
        .content_type = header(r, MHD_HTTP_HEADER_CONTENT_TYPE),
        .authorization = header(r, MHD_HTTP_HEADER_AUTHORIZATION),
        .accept_encoding = header(r, MHD_HTTP_HEADER_ACCEPT_ENCODING),
        .if_none_match = header(r, MHD_HTTP_HEADER_IF_NONE_MATCH),
        .host = header(r, MHD_HTTP_HEADER_HOST),
        .secure = r->secure,
        .client = r->client,
        .body = r->body.data != NULL ? r->body.data : "",
        .body_size = r->body.length,
    };
    MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, add_query, &r->http);
}

/* What it points to is microhttpd's, which keeps it while the request is suspended. */
static enum MHD_Result handle_whole(request *r) {
    collect(r);
    if (attn_router_is_quick(r->path)) {
        attn_router_handle(&r->server->service, &r->http, &r->answer);
        return send_answer(r, &r->answer);
    }
    r->reading.work = read_request;
    r->reading.done = was_read;
    r->reading.context = r;
    r->reading.client = r->client;
    r->reading.cost = 100 + (int64_t)r->body.length;
    atomic_fetch_add(&r->holders, 1);
    suspend(r);
    enter(r, READING);
    if (!attn_batcher_submit(r->server->desk, &r->reading)) {
        turn_away(r);
        let_go(r);
    }
    return MHD_YES;
}

enum MHD_Result attn_connection_handle(void *context, struct MHD_Connection *connection,
                                       const char *url, const char *method, const char *version,
                                       const char *upload, size_t *upload_size, void **slot) {
    attn_server *server = context;
    request *r = *slot;
    if (r == NULL) { /* the header has arrived */
        const char *why = NULL;
        r = make_request(server, connection, method, attn_target_path(url));
        *slot = r;
        if (r == NULL || r->method == NULL || r->path == NULL) {
            return MHD_NO;
        }
        set_request(connection, server, r);
        int status = check_header(r, version, &why);
        return status != 0 ? send_error(r, status, why) : MHD_YES;
    }
    if (*upload_size > 0) {
        take_upload(r, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    if (r->phase == ANSWERED) {
        return send_answer(r, &r->answer);
    }
    if (r->phase == RUNNING) {
        return send_stream(r);
    }
    set_deadline(connection, server, INFINITY);
    r->whole = attn_clock();
    if (r->too_large) {
        return send_error(r, 413, "Request body too large");
    }
    return r->body.failed ? MHD_NO : handle_whole(r);
}

/* ---- the log, and what comes and goes ---- */

/* A full disk stops no request; the operator is told once, and how many lines it cost in /metrics. */
static void lose_line(attn_server *server, int number) {
    clearerr(server->log); /* there may be room again for the next one */
    if (atomic_fetch_add(&server->metrics.lost_lines, 1) == 0) {
        fprintf(stderr,
                "attn: %s: cannot write the access log: %s; /metrics counts the lines lost\n",
                server->options->access_log, strerror(number != 0 ? number : ENOMEM));
    }
}

/* No text of a request is ever logged. */
static void write_log(attn_server *server, const request *r, double seconds, const char *ended) {
    char address[ATTN_ADDRESS_TEXT], when[32], method[32], path[512];
    time_t now = time(NULL);
    struct tm parts;
    if (server->log == NULL) {
        return;
    }
    attn_address_print(&r->address, address);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:f, s:s}", "time", when, "address", address,
                  "method", attn_utf8_quote(method, sizeof method, r->method), "path",
                  attn_utf8_quote(path, sizeof path, r->path), "status", r->status, "received",
                  (json_int_t)r->body.length, "sent", (json_int_t)r->sent, "seconds", seconds,
                  "ended", ended);
    errno = 0;
    if (attn_json_print(line, JSON_COMPACT | JSON_REAL_PRECISION(4), server->log, NULL) !=
            ATTN_OK ||
        fflush(server->log) != 0) {
        lose_line(server, errno);
    }
}

void attn_connection_completed(void *context, struct MHD_Connection *connection, void **slot,
                               enum MHD_RequestTerminationCode why) {
    attn_server *server = context;
    request *r = *slot;
    set_deadline(connection, server, attn_clock() + (double)server->options->receive_seconds);
    set_request(connection, server, NULL);
    if (r == NULL) {
        return;
    }
    *slot = NULL;
    double seconds = attn_clock() - r->whole;
    bool completed = why == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (r->status != 0) {
        attn_router_count(&server->metrics, r->path, r->status, seconds);
    }
    write_log(server, r, seconds, completed ? "ok" : "early");
    atomic_fetch_sub(&server->metrics.in_flight, 1);
    let_go(r);
}

void attn_connection_notify(void *context, struct MHD_Connection *connection, void **slot,
                            enum MHD_ConnectionNotificationCode what) {
    attn_server *server = context;
    attn_socket *opened = *slot;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        opened = info != NULL ? calloc(1, sizeof *opened) : NULL;
        *slot = opened;
        if (opened == NULL) {
            return;
        }
        opened->descriptor = (int)info->connect_fd;
        opened->deadline = attn_clock() + (double)server->options->receive_seconds;
        pthread_mutex_lock(&server->lock);
        opened->next = server->sockets;
        if (opened->next != NULL) {
            opened->next->previous = opened;
        }
        server->sockets = opened;
        pthread_mutex_unlock(&server->lock);
        atomic_fetch_add(&server->metrics.connections, 1);
    } else if (opened != NULL) {
        pthread_mutex_lock(&server->lock);
        if (opened->next != NULL) {
            opened->next->previous = opened->previous;
        }
        if (opened->previous != NULL) {
            opened->previous->next = opened->next;
        } else {
            server->sockets = opened->next;
        }
        pthread_mutex_unlock(&server->lock);
        atomic_fetch_sub(&server->metrics.connections, 1);
        free(opened);
        *slot = NULL;
    }
}

static void close_late(attn_server *server) {
    double now = attn_clock();
    for (attn_socket *s = server->sockets; s != NULL; s = s->next) {
        if (now > s->deadline) {
            /* The descriptor is open: it leaves the list before microhttpd closes it. */
            shutdown(s->descriptor, SHUT_RDWR);
            s->deadline = INFINITY;
            atomic_fetch_add(&server->metrics.timed_out, 1);
        }
    }
}

static bool is_under_way(request *r) {
    pthread_mutex_lock(&r->lock);
    bool under_way = r->phase != ARRIVING && r->phase != ANSWERED;
    pthread_mutex_unlock(&r->lock);
    return under_way;
}

static bool has_left(int descriptor) {
    char next;
    ssize_t got = recv(descriptor, &next, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/* Holds the requests whose clients have closed their connections, which microhttpd does not look at while a request is
 * suspended; NULL: none. */
static request *hold_left(const attn_server *server) {
    request *list = NULL;
    for (const attn_socket *s = server->sockets; s != NULL; s = s->next) {
        request *r = s->request;
        if (r != NULL && !atomic_load(&r->left) && is_under_way(r) && has_left(s->descriptor)) {
            atomic_store(&r->left, true);
            atomic_fetch_add(&r->holders, 1);
            r->next_left = list;
            list = r;
        }
    }
    return list;
}

static void give_up(request *r) {
    pthread_mutex_lock(&r->lock);
    phase now = r->phase;
    pthread_mutex_unlock(&r->lock);
    if (now == READING) {
        attn_batcher_give_up(r->server->desk, &r->reading);
    } else if (now == RUNNING) {
        attn_job_give_up(r->job, r->server->batcher);
    }
}

void attn_connections_sweep(attn_server *server) {
    pthread_mutex_lock(&server->lock);
    close_late(server);
    request *left = hold_left(server);
    pthread_mutex_unlock(&server->lock);
    while (left != NULL) {
        request *next = left->next_left;
        give_up(left);
        let_go(left);
        left = next;
    }
}
