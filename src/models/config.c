/* models/config.c: fields of configurations as text, the same in every locale. */
#include "models/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/encoder.h"
#include "attn/matmul.h"
#include "attn/segmenter.h"
#include "attn/translator.h"
#include "base/fail.h"

_Static_assert(sizeof(attn_activation) == sizeof(unsigned), "a choice is read as an unsigned");

const char *const attn_activation_names[] = {
    [ATTN_ACTIVATION_NONE] = "",
    [ATTN_ACTIVATION_RELU] = "relu",
    [ATTN_ACTIVATION_GELU] = "gelu",
    [ATTN_ACTIVATION_GELU_TANH] = "gelu_tanh",
    [ATTN_ACTIVATION_GELU_SIGMOID] = "gelu_sigmoid",
    [ATTN_ACTIVATION_SWISH] = "swish",
    NULL,
};

/* Those that the layers of pictures know. */
const char *const attn_segmenter_activation_names[] = {
    [ATTN_ACTIVATION_NONE] = "",
    [ATTN_ACTIVATION_RELU] = "relu",
    [ATTN_ACTIVATION_GELU] = "gelu",
    NULL,
};

const char *const attn_mixer_names[] = {
    [ATTN_MIXER_GLOBAL] = "global",
    [ATTN_MIXER_WINDOW] = "window",
    [ATTN_MIXER_DEPTHWISE] = "depthwise",
    [ATTN_MIXER_NONE] = "none",
    NULL,
};

const char *const attn_embeddings_names[] = {
    [ATTN_EMBEDDINGS_TIED] = "tied",
    [ATTN_EMBEDDINGS_UNTIED] = "untied",
    [ATTN_EMBEDDINGS_TARGET] = "target",
    NULL,
};

const char *const attn_sinusoids_names[] = {
    [ATTN_SINUSOIDS_TENSOR2TENSOR] = "tensor2tensor",
    [ATTN_SINUSOIDS_PAPER] = "paper",
    NULL,
};

const char *const attn_rotary_names[] = {
    [ATTN_ROTARY_NONE] = "none",
    [ATTN_ROTARY_HALVES] = "halves",
    [ATTN_ROTARY_ADJACENT] = "adjacent",
    NULL,
};

const char *const attn_tagging_names[] = {
    [ATTN_TAGGING_TARGET] = "target",
    [ATTN_TAGGING_BOTH] = "both",
    [ATTN_TAGGING_BOTH_AFTER] = "both_after",
    [ATTN_TAGGING_START] = "start",
    NULL,
};

const char *const attn_segmenter_norm_names[] = {
    [ATTN_SEGMENTER_NORM_PICTURE] = "picture",
    [ATTN_SEGMENTER_NORM_PLACE] = "place",
    NULL,
};

const char *const attn_pooling_names[] = {
    [ATTN_POOLING_MEAN] = "mean",
    [ATTN_POOLING_FIRST] = "cls",
    NULL,
};

enum { RATE_DIGITS = 6, SMALL_DIGITS = 12 };

static long long power_of_ten(int digits) {
    long long power = 1;
    for (int i = 0; i < digits; i++) {
        power *= 10;
    }
    return power;
}

/* Not printf's, whose decimal point depends on the locale. */
static void rate_print(double rate, int digits, char value[ATTN_CONFIG_VALUE_SIZE]) {
    long long unit = power_of_ten(digits), units = (long long)(rate * (double)unit + 0.5);
    int end =
        snprintf(value, ATTN_CONFIG_VALUE_SIZE, "%lld.%0*lld", units / unit, digits, units % unit);
    while (value[end - 1] == '0' && value[end - 2] != '.') {
        value[--end] = '\0';
    }
}

void attn_config_print(const void *config, const attn_config_key *key,
                       char value[ATTN_CONFIG_VALUE_SIZE]) {
    const void *field = (const char *)config + key->offset;
    switch (key->type) {
    case CONFIG_INT:
    case CONFIG_NEWER_INT:
        snprintf(value, ATTN_CONFIG_VALUE_SIZE, "%lld", (long long)*(const int64_t *)field);
        break;
    case CONFIG_BOOL:
    case CONFIG_NEWER_BOOL:
        snprintf(value, ATTN_CONFIG_VALUE_SIZE, "%s", *(const bool *)field ? "true" : "false");
        break;
    case CONFIG_CHOICE:
    case CONFIG_NEWER_CHOICE:
        snprintf(value, ATTN_CONFIG_VALUE_SIZE, "%s", key->names[*(const unsigned *)field]);
        break;
    case CONFIG_RATE:
        rate_print(*(const double *)field, RATE_DIGITS, value);
        break;
    case CONFIG_NEWER_SMALL:
        rate_print(*(const double *)field, SMALL_DIGITS, value);
        break;
    }
}

/* "0.1": digits, a point, at most so many digits; whatever the locale. */
static bool rate_read(const char *value, int digits, double *rate) {
    char *end;
    errno = 0;
    long long all = power_of_ten(digits), unit = all, fraction = 0;
    long long whole = strtoll(value, &end, 10);
    if (end == value || whole < 0 || whole > 1000 || errno != 0) {
        return false;
    }
    if (*end == '.') {
        for (end++; *end >= '0' && *end <= '9' && unit > 1; end++) {
            unit /= 10;
            fraction += (*end - '0') * unit;
        }
    }
    *rate = (double)(whole * all + fraction) / (double)all;
    return *end == '\0';
}

static bool choice_read(const char *const *names, const char *value, unsigned *choice) {
    for (unsigned i = 0; names[i] != NULL; i++) {
        if (names[i][0] != '\0' && strcmp(names[i], value) == 0) {
            *choice = i;
            return true;
        }
    }
    return false;
}

bool attn_config_newer(const attn_config_key *key) {
    return key->type == CONFIG_NEWER_INT || key->type == CONFIG_NEWER_BOOL ||
           key->type == CONFIG_NEWER_CHOICE || key->type == CONFIG_NEWER_SMALL;
}

bool attn_config_absent(const void *config, const attn_config_key *key) {
    const void *field = (const char *)config + key->offset;
    switch (key->type) {
    case CONFIG_NEWER_INT:
        return *(const int64_t *)field == 0;
    case CONFIG_NEWER_BOOL:
        return !*(const bool *)field;
    case CONFIG_NEWER_SMALL:
        return *(const double *)field == 0;
    default:
        return false;
    }
}

bool attn_config_read(void *config, const attn_config_key *key, const char *value) {
    void *field = (char *)config + key->offset;
    if (key->type == CONFIG_BOOL || key->type == CONFIG_NEWER_BOOL) {
        *(bool *)field = strcmp(value, "true") == 0;
        return *(bool *)field || strcmp(value, "false") == 0;
    }
    if (key->type == CONFIG_CHOICE || key->type == CONFIG_NEWER_CHOICE) {
        return choice_read(key->names, value, field);
    }
    if (key->type == CONFIG_RATE || key->type == CONFIG_NEWER_SMALL) {
        return rate_read(value, key->type == CONFIG_RATE ? RATE_DIGITS : SMALL_DIGITS, field);
    }
    char *end;
    errno = 0;
    *(int64_t *)field = strtoll(value, &end, 10);
    return end != value && *end == '\0' && errno == 0;
}

attn_status attn_config_check_range(const char *name, int64_t value, int64_t low, int64_t high,
                                    attn_error *error) {
    if (value >= low && value <= high) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                     "%s is %lld, but must be %lld to %lld", name, (long long)value, (long long)low,
                     (long long)high);
}

attn_status attn_config_check_rate(const char *name, double value, attn_error *error) {
    if (value >= 0.0 && value < 1.0) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                     "%s is %g, but must be at least 0 and below 1", name, value);
}

attn_status attn_config_check_rotary(attn_rotary rotary, int64_t base, int64_t dim,
                                     int64_t head_size, bool learned_positions, attn_error *error) {
    int64_t turned = dim > 0 ? dim : head_size;
    if (rotary == ATTN_ROTARY_NONE) {
        return base == 0 && dim == 0
                   ? ATTN_OK
                   : attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "set rotary too",
                               "rotary_base and rotary_dim are of rotary positions alone");
    }
    if (learned_positions) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "choose one of them",
                         "positions cannot be both rotary and learned");
    }
    if (base == 1) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "10000 is usual",
                         "rotary_base is 1, but must be above 1");
    }
    if (turned % 2 != 0 || turned > head_size) {
        return attn_fail(
            error, ATTN_ERR_ARGUMENT, NULL, -1, "set rotary_dim",
            "rotary positions turn %lld channels of heads of %lld: they must be an even number "
            "of them",
            (long long)turned, (long long)head_size);
    }
    return ATTN_OK;
}
