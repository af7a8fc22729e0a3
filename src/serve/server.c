/* serve/server.c: starting, watching over and ending the server. Next: connection.c. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <time.h>

#include "base/clock.h"
#include "base/fail.h"
#include "serve/connection.h"
#include "serve/shelf.h"

static const double TICK = 0.2; /* seconds between looks at deadlines and signals */
static const double LOOK_AT_FILES = 1.0;

static volatile sig_atomic_t asked_to_stop, asked_to_reload;

/* Who asks a second time does not want to wait: that signal ends the process. */
static void on_signal(int number) {
    if (number == SIGHUP) {
        asked_to_reload = 1;
        return;
    }
    asked_to_stop = 1;
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    asked_to_stop = asked_to_reload = 0;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void pause_for(double seconds) {
    struct timespec time = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL); /* a signal may end it early, which is what is wanted */
}

/* ---- starting ---- */

/* A descriptor for each connection, and some. */
static void raise_descriptor_limit(int64_t connections) {
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections + 64;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static attn_status open_log(attn_server *server, attn_error *error) {
    const char *path = server->options->access_log;
    if (path == NULL) {
        return ATTN_OK;
    }
    server->log = strcmp(path, "-") == 0 ? stdout : fopen(path, "a");
    return server->log != NULL ? ATTN_OK : attn_fail_errno(error, path, "cannot open");
}

static void close_log(attn_server *server) {
    if (server->log != NULL && server->log != stdout) {
        fclose(server->log);
    }
    server->log = NULL;
}

static attn_status listen_at(attn_server *server, const struct sockaddr *address, int family,
                             attn_error *error) {
    const attn_serve_options *o = server->options;
    unsigned flags = MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                     (family == AF_INET6 ? MHD_USE_IPv6 : 0);
    /* Header, query and answer's header share this memory of a connection. */
    size_t memory = 2 * (size_t)o->header_limit + 4096;
    errno = 0;
    server->daemon = MHD_start_daemon(
        flags, (uint16_t)o->port, NULL, NULL, attn_connection_handle, server, MHD_OPTION_SOCK_ADDR,
        address, MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)o->connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)o->connections_per_address, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)o->receive_seconds, MHD_OPTION_NOTIFY_COMPLETED, attn_connection_completed,
        server, MHD_OPTION_NOTIFY_CONNECTION, attn_connection_notify, server,
        MHD_OPTION_URI_LOG_CALLBACK, attn_connection_target, server, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    if (server->daemon == NULL) {
        return attn_fail(error, ATTN_ERR_IO, o->host, o->port, "choose another with --port",
                         "cannot listen on this address and port: %s",
                         errno != 0 ? strerror(errno) : "libmicrohttpd refused");
    }
    return ATTN_OK;
}

static attn_status start_listening(attn_server *server, attn_error *error) {
    const attn_serve_options *o = server->options;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[16];
    snprintf(port, sizeof port, "%d", (int)o->port);
    int code = getaddrinfo(o->host, port, &hints, &found);
    if (code != 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, o->host, -1, "name an address of this machine",
                         "%s", gai_strerror(code));
    }
    attn_status status = listen_at(server, found->ai_addr, found->ai_family, error);
    freeaddrinfo(found);
    return status;
}

static void announce(const attn_server *server) {
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    int port = info != NULL ? (int)info->port : (int)server->options->port;
    bool six = strchr(server->options->host, ':') != NULL;
    for (size_t i = 0; i < attn_serve_models_count(server->service.models); i++) {
        attn_serve_model *model = attn_serve_models_get(server->service.models, i);
        const attn_model *open = model->open;
        if (!attn_serve_model_translates(model)) {
            fprintf(stderr, "attn: pictures: %s, %d classes\n", open->path, open->classes.count);
        } else {
            fprintf(stderr, "attn: %s to %s: %s, glossary of %zu terms\n", open->source,
                    open->target, open->path,
                    open->glossary != NULL ? attn_glossary_size(open->glossary) : 0);
        }
        attn_serve_model_release(server->service.models, model);
    }
    fprintf(stderr, "attn: serving at http://%s%s%s:%d\n", six ? "[" : "", server->options->host,
            six ? "]" : "", port);
}

/* ---- running ---- */

static void reload_models(attn_server *server, bool force) {
    for (size_t i = 0; i < attn_serve_models_count(server->service.models); i++) {
        attn_error error;
        char line[1200];
        bool done;
        if (attn_serve_models_reload(server->service.models, i, force, &done, &error) != ATTN_OK) {
            atomic_fetch_add(&server->metrics.failed_reloads, 1);
            fprintf(stderr, "attn: keeping the model in use: %s\n",
                    attn_error_format(&error, line, sizeof line));
        } else if (done) {
            atomic_fetch_add(&server->metrics.reloads, 1);
            fprintf(stderr, "attn: reloaded model %zu\n", i + 1);
        }
    }
}

static void reload_keys(attn_server *server) {
    attn_error error;
    char line[1200];
    if (attn_access_reload(server->service.access, &error) != ATTN_OK) {
        fprintf(stderr, "attn: keeping the keys in use: %s\n",
                attn_error_format(&error, line, sizeof line));
    }
}

static void watch(attn_server *server) {
    double looked = attn_clock();
    while (!asked_to_stop) {
        pause_for(TICK);
        attn_connections_sweep(server);
        if (server->service.shelf != NULL) {
            attn_shelf_sweep(server->service.shelf);
        }
        if (asked_to_reload) {
            asked_to_reload = 0;
            reload_keys(server);
            reload_models(server, true);
        } else if (!server->options->no_watch && attn_clock() - looked > LOOK_AT_FILES) {
            reload_models(server, false);
            looked = attn_clock();
        }
    }
}

static void wait_for_requests(attn_server *server, double seconds) {
    double until = attn_clock() + seconds;
    while (atomic_load(&server->metrics.in_flight) > 0 && attn_clock() < until) {
        pause_for(0.02);
        attn_connections_sweep(server);
    }
}

/* No new connections: they are refused at once, so that whoever balances load asks another server. What has begun is finished, within a limit, and what is left then is told so. */
static void drain(attn_server *server) {
    static const double TELL = 0.5; /* seconds, to send that */
    MHD_socket listener = MHD_quiesce_daemon(server->daemon);
    if (listener != MHD_INVALID_SOCKET) {
        /* Its number stays taken until microhttpd has forgotten it. */
        shutdown(listener, SHUT_RDWR);
    }
    atomic_store(&server->stopping, true);
    wait_for_requests(server, (double)server->options->drain_seconds);
    attn_batcher_give_up_all(server->desk);
    attn_batcher_give_up_all(server->batcher);
    attn_batcher_stop(server->batcher);
    attn_batcher_stop(server->desk); /* after this no request is suspended */
    wait_for_requests(server, TELL);
    MHD_stop_daemon(server->daemon);
    if (listener != MHD_INVALID_SOCKET) {
        close(listener);
    }
}

static attn_status start_server(attn_server *server, attn_error *error) {
    const attn_serve_options *o = server->options;
    attn_batcher_options reading = {.queue = (size_t)o->connections};
    attn_batcher_options batching = {.batch_tokens = o->batch_tokens,
                                     .wait_seconds = 1e-3 * (double)o->batch_wait,
                                     .queue = (size_t)o->queue};
    server->service = (attn_service){.metrics = &server->metrics,
                                     .suggestions = o->suggestions,
                                     .character_limit = o->character_limit,
                                     .batch_limit = o->text_limit,
                                     .alternatives_limit = o->alternatives_limit,
                                     .pixel_limit = o->pixel_limit,
                                     .picture_memory = o->picture_memory << 20,
                                     .file_limit = o->file_limit};
    attn_search_options_init(&server->service.search);
    server->service.search.beam = o->beam;
    server->service.search.length_penalty = o->length_penalty;
    attn_status status = open_log(server, error);
    if (status == ATTN_OK && o->file_limit > 0) {
        status = attn_shelf_create((size_t)o->file_memory << 20, (double)o->file_seconds,
                                   &server->service.shelf, error);
    }
    if (status == ATTN_OK) {
        status = attn_access_create(&o->access, &server->service.access, error);
    }
    if (status == ATTN_OK) {
        status = attn_serve_models_open(&o->sources, &server->service.models, error);
    }
    if (status == ATTN_OK && o->cache > 0) {
        status = attn_answers_create((size_t)o->cache << 20, &server->service.cache, error);
    }
    if (status == ATTN_OK) {
        status = attn_batcher_start(&reading, NULL, &server->desk, error);
    }
    if (status == ATTN_OK) {
        status = attn_batcher_start(&batching, &server->metrics, &server->batcher, error);
    }
    return status == ATTN_OK ? start_listening(server, error) : status;
}

attn_status attn_serve_run(const attn_serve_options *options, attn_error *error) {
    attn_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return attn_fail_memory(error, sizeof *server);
    }
    server->options = options;
    pthread_mutex_init(&server->lock, NULL);
    raise_descriptor_limit(options->connections);
    catch_signals();
    attn_status status = start_server(server, error);
    if (status == ATTN_OK) {
        announce(server);
        watch(server);
        drain(server);
    }
    attn_batcher_free(server->batcher);
    attn_batcher_free(server->desk);
    attn_serve_models_close(server->service.models);
    attn_access_free(server->service.access);
    attn_answers_free(server->service.cache);
    attn_shelf_free(server->service.shelf);
    close_log(server);
    pthread_mutex_destroy(&server->lock);
    free(server);
    return status;
}
