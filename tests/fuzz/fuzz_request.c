/* Any bytes as a request: the first line is METHOD PATH?QUERY, the second the Content-Type, the rest the body. No
 * answer but a whole one comes out, and no status but those that are documented. A translation is answered by an
 * echo in the place of a model; looks and pictures by small models. Built with clang -fsanitize=fuzzer, or with
 * replay.c. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "attn/segmenter.h"
#include "base/memory.h"
#include "serve/router.h"
#include "serve/shelf.h"
#include "support/tiny_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static attn_service service;
static attn_metrics metrics;

/* A segmenter of a few thousand numbers, from a file as the server opens it. */
static attn_model *open_segmenter(void) {
    static const char classes[] = "0 sky 1 2 3\n1 road 255 0 16\n2 c 4 4 4\n";
    char path[] = "/tmp/attn-fuzz-XXXXXX";
    attn_segmenter_config config;
    attn_segmenter *segmenter;
    attn_model *model;
    attn_segmenter_config_init(&config);
    config.classes = 3;
    config.width_2 = config.width_4 = 8;
    config.d_model = 16;
    config.blocks = 2;
    config.heads = 2;
    config.ffn = 20;
    int file = mkstemp(path);
    if (file < 0 || close(file) != 0 ||
        attn_segmenter_create(&config, false, &segmenter, NULL) != ATTN_OK) {
        abort();
    }
    attn_params_init(attn_segmenter_params(segmenter), 5);
    if (attn_segmenter_save(segmenter, ATTN_STORE_F32, classes, sizeof classes - 1, NULL, 0, path,
                            NULL) != ATTN_OK ||
        attn_model_open(path, NULL, &model, NULL) != ATTN_OK) {
        abort();
    }
    attn_segmenter_free(segmenter);
    unlink(path);
    return model;
}

static void start(void) {
    attn_tokenizer *tokenizer = tiny_model_tokenizer();
    service = (attn_service){.metrics = &metrics,
                             .character_limit = 5000,
                             .batch_limit = 16,
                             .alternatives_limit = 2,
                             .pixel_limit = 10000,
                             .picture_memory = 64 << 20,
                             .file_limit = 1 << 16};
    attn_search_options_init(&service.search);
    if (attn_shelf_create(1 << 16, 60, &service.shelf, NULL) != ATTN_OK) {
        abort();
    }
    if (attn_serve_models_wrap(tiny_model_translator(tokenizer, 1), tokenizer, "en", "fr",
                               &service.models, NULL) != ATTN_OK ||
        !attn_serve_models_add(service.models, open_segmenter())) {
        abort();
    }
}

/* The fields behind the path's question mark, which is cut off. */
static void read_query(char *path, attn_http_request *request) {
    char *query = strchr(path, '?'), *rest = NULL;
    if (query == NULL) {
        return;
    }
    *query++ = '\0';
    for (char *field = strtok_r(query, "&", &rest);
         field != NULL && request->query_count < ATTN_HTTP_PARAMETERS;
         field = strtok_r(NULL, "&", &rest)) {
        char *value = strchr(field, '=');
        if (value != NULL) {
            *value++ = '\0';
        }
        request->query[request->query_count++] =
            (attn_parameter){field, value != NULL ? value : ""};
    }
}

/* One hypothesis: the source. */
static void echo(attn_batch_group *group) {
    for (size_t i = 0; i < group->count; i++) {
        attn_sentence *s = &group->sentences[i];
        int64_t length = s->length - 1;
        attn_hypothesis *h = attn_alloc_zero(1, sizeof *h);
        h->ids = attn_alloc_zero((size_t)s->length, sizeof *h->ids);
        memcpy(h->ids, s->ids, (size_t)length * sizeof *h->ids);
        h->token_log_probability = attn_alloc_zero((size_t)s->length, sizeof(attn_real));
        if (s->search->attention) {
            h->attention =
                attn_alloc_zero((size_t)s->length * (size_t)s->length, sizeof(attn_real));
        }
        h->length = length;
        h->source_length = s->length;
        s->result = (attn_search_result){h, 1};
    }
}

static void check(attn_http_answer *answer) {
    static const int known[] = {200, 204, 304, 400, 403, 404, 405, 500};
    size_t i = 0;
    while (i < sizeof known / sizeof known[0] && known[i] != answer->status) {
        i++;
    }
    if (i == sizeof known / sizeof known[0] || answer->content_type == NULL) {
        abort();
    }
    if (strcmp(answer->content_type, "application/json") == 0) {
        json_t *value = json_loadb(answer->body.data, answer->body.length, 0, NULL);
        if (value == NULL) {
            abort();
        }
        json_decref(value);
    }
    attn_http_answer_free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (service.models == NULL) {
        start();
    }
    char *text = malloc(size + 3);
    memcpy(text, data, size);
    memcpy(text + size, "\n\n", 3);
    char *path = text + strcspn(text, " \n");
    char *type = path + strcspn(path, "\n");
    *type++ = '\0';
    if (*path != '\0') {
        *path++ = '\0';
    }
    size_t left = (size_t)(text + size + 2 - type);
    char *body = memchr(type, '\n', left);
    char *end = text + size;
    if (body == NULL) {
        free(text);
        return 0;
    }
    *body++ = '\0';
    size_t body_size = body < end ? (size_t)(end - body) : 0;
    char *exact = malloc(body_size > 0 ? body_size : 1); /* so that a read past its end is seen */
    memcpy(exact, body, body_size);
    attn_http_request request = {
        .method = text, .path = path, .content_type = type, .body = exact, .body_size = body_size};
    read_query(path, &request);
    attn_http_answer answer;
    attn_job *job = attn_router_handle(&service, &request, &answer);
    if (job != NULL) {
        answer = (attn_http_answer){0};
        attn_batch_group *group = attn_job_group(job);
        do {
            if (group->work != NULL) {
                group->work(group->context);
            } else {
                echo(group);
            }
        } while (group->go_on != NULL && group->go_on(group->context));
        attn_job_answer(job, &answer);
        attn_job_free(job);
    }
    check(&answer);
    free(exact);
    free(text);
    return 0;
}
