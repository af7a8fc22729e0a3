/* The tool as a user runs it, on a tiny model with random weights: what it prints, how it ends, and what it
 * says to bad input. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "attn/safetensors.h"
#include "attn/threads.h"
#include "attn/translator.h"
#include "support/sentences.h"
#include "attn/tokenizer.h"

enum { TEXT_SIZE = 1 << 20 };

static char folder[64]; /* everything the tests write */
static char output[TEXT_SIZE];

/* Runs a shell command in the folder, with $T the tool; stdout into `output`, or, when the command
 * redirects it there, stderr. Returns the exit status. */
__attribute__((format(printf, 1, 2))) static int sh(const char *format, ...) {
    char command[4096], line[3000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    snprintf(command, sizeof command,
             "cd %s && export T=%s ATTN_MODEL=model.safetensors && { %s; } 2>&1", folder,
             ATTN_TEST_TOOL, line);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t length = fread(output, 1, sizeof output - 1, pipe);
    output[length] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect_text(const char *part) {
    if (strstr(output, part) == NULL) {
        print_error("expected \"%s\" in:\n%s\n", part, output);
        fail();
    }
}

/* One line of error, nothing else. */
static void expect_error(int wanted, int status, const char *part) {
    expect_text(part);
    assert_int_equal(status, wanted);
    assert_int_equal(strncmp(output, "attn: ", 6), 0);
    assert_ptr_equal(strchr(output, '\n'), output + strlen(output) - 1);
}

static attn_tokenizer *train_tokenizer(void) {
    char files[2][64];
    const char *paths[] = {files[0], files[1]};
    sentences_generate(files[0], 0);
    sentences_generate(files[1], 1);
    attn_tokenizer_options options = {.type = "bpe",
                                      .normalization = "nmt_nfkc",
                                      .elisions = "",
                                      .vocabulary = 120,
                                      .threads = 1};
    attn_tokenizer *tokenizer = NULL;
    attn_error error;
    if (attn_tokenizer_train(paths, 2, &options, &tokenizer, &error) != ATTN_OK) {
        fail_msg("%s", error.what);
    }
    unlink(files[0]);
    unlink(files[1]);
    return tokenizer;
}

static void save_model(const char *name, const attn_tokenizer *tokenizer, int64_t vocabulary) {
    char path[128];
    attn_translator_config config;
    attn_translator *model = NULL;
    attn_translator_config_init(&config);
    config.vocabulary = vocabulary;
    config.d_model = 16;
    config.ffn = 32;
    config.heads = config.kv_heads = 2;
    config.encoder_layers = config.decoder_layers = 1;
    config.max_length = 64;
    assert_int_equal(attn_translator_create(&config, false, &model, NULL), ATTN_OK);
    attn_params *params = attn_translator_params(model);
    attn_params_init(params, 1);
    for (int64_t i = 0; i < attn_params_size(params); i++) {
        attn_params_data(params)[i] *= 2;
    }
    size_t size;
    const void *bytes = attn_tokenizer_bytes(tokenizer, &size);
    attn_metadata metadata[] = {{"license", "none, made up"},
                                {"evil", "\x1b]0;title\a two\n\xc2\x9b"
                                         "31m lines"}};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(
        attn_translator_save(model, ATTN_STORE_F32, bytes, size, metadata, 2, path, NULL), ATTN_OK);
    attn_translator_free(model);
}

static int set_up(void **unused) {
    (void)unused;
    strcpy(folder, "/tmp/attn-tool-XXXXXX");
    assert_non_null(mkdtemp(folder));
    attn_tokenizer *tokenizer = train_tokenizer();
    int64_t vocabulary = attn_tokenizer_size(tokenizer);
    save_model("model.safetensors", tokenizer, vocabulary);
    save_model("other.safetensors", tokenizer, vocabulary + 1);
    attn_tokenizer_free(tokenizer);
    assert_int_equal(
        sh("printf 'The cat sees the river, number 12.\\nThe child\\n\\nThe song likes "
           "the old engine and the window and the table.\\nhouse\\n' >lines"),
        0);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    return sh("rm -r %s", folder);
}

static void help_and_misuse(void **unused) {
    (void)unused;
    assert_int_equal(sh("$T help"), 0);
    expect_text("translate");
    assert_int_equal(sh("$T"), 2);
    assert_int_equal(sh("$T help translate"), 0);
    expect_text("--length-penalty A");
    assert_int_equal(sh("$T translate --help"), 0);
    expect_text("--length-penalty A");
    assert_int_equal(sh("$T --version"), 0);
    expect_text("attn ");
    expect_error(2, sh("$T transalte"), "did you mean `attn translate`?");
    expect_error(2, sh("$T translate --bean 3"), "unknown option --bean: did you mean --beam?");
    expect_error(2, sh("$T translate --beam=wide lines"), "'wide' is not a whole number");
    expect_error(2, sh("$T translate --beam 0 lines"), "'0' is not from 1 to 256");
    expect_error(2, sh("$T translate --beam"), "--beam needs a value");
    expect_error(2, sh("$T translate --json=yes lines"), "--json takes no value");
    expect_error(2, sh("$T translate -x lines"), "unknown option -x");
    expect_error(2, sh("$T translate lines more"), "'more'");
    expect_error(2, sh("$T translate --n-best 9 lines"), "--beam 9");
    expect_error(2, sh("$T evaluate --reference lines"), "--source FILE");
    expect_error(2, sh("$T evaluate --tokenizer 14a"), "one of 13a, none, zh, char");
    expect_error(2, sh("$T score --source lines"), "--target FILE");
    expect_error(2, sh("$T --completion fish"), "bash");
    expect_error(2, sh("$T train"), "`attn train translator` or `attn train segmenter`");
    expect_error(2, sh("$T train tranlator"), "`attn train translator`");
    static const char *const both[] = {"$T train --help", "$T train -h", "$T help train"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sh("%s", both[i]), 0);
        expect_text("usage: attn train translator ");
        expect_text("\n       attn train segmenter ");
        expect_text("`attn train segmenter --help`");
    }
}

/* Summaries begin with a verb in capitals, and -j means threads wherever there are threads. */
static void help_is_even(void **unused) {
    (void)unused;
    assert_int_equal(sh("$T help"), 0);
    char *list = strdup(output);
    int commands = 0;
    assert_non_null(list);
    for (char *line = strtok(list, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strncmp(line, "  ", 2) == 0) {
            char *name = line + 2, *summary = strstr(name, "  ");
            assert_non_null(summary);
            *summary++ = '\0';
            summary += strspn(summary, " ");
            if (!isupper((unsigned char)summary[0]) || summary[strlen(summary) - 1] == '.') {
                fail_msg("%s: %s", name, summary);
            }
            assert_int_equal(sh("$T %s --help", name), 0);
            assert_null(strstr(output, "      --threads"));
            assert_true(strstr(output, "--threads") == NULL || strstr(output, "-j, --threads"));
            commands++;
        }
    }
    assert_true(commands > 10);
    free(list);
}

static void manual_and_completion(void **unused) {
    (void)unused;
    assert_int_equal(sh("$T --man"), 0);
    expect_text(".SS attn translate");
    expect_text("\\-\\-length\\-penalty A");
    assert_int_equal(sh("$T --completion bash"), 0);
    expect_text("--length-penalty");
    if (sh("command -v bash") == 0) {
        assert_int_equal(sh("$T --completion bash >c; bash -c '. ./c; COMP_WORDS=(attn translate "
                            "--len); COMP_CWORD=2; _attn; echo ${COMPREPLY[@]}'"),
                         0);
        assert_string_equal(output, "--length-penalty\n");
    }
}

/* Runs the command and compares its output with what `output` held before. */
static void expect_same(const char *command) {
    char *before = strdup(output);
    assert_int_equal(sh("%s", command), 0);
    assert_string_equal(output, before);
    free(before);
}

static void expect_same_on_every_isa(const char *command) {
    for (int i = 0; attn_isa_at(i) != NULL; i++) {
        char with[256];
        snprintf(with, sizeof with, "ATTN_ISA=%s %s", attn_isa_at(i), command);
        expect_same(with);
    }
}

/* Slower than asked for would be a surprise, and so would faster. */
static void unknown_instruction_sets_are_refused(void **unused) {
    (void)unused;
    expect_error(2, sh("ATTN_ISA=avx521 $T translate lines"),
                 "attn: ATTN_ISA: no instruction set 'avx521' in this build or this processor: "
                 "choose one of ref");
    assert_int_equal(sh("ATTN_ISA= $T translate lines"), 0);
    assert_int_equal(sh("ATTN_ISA=avx521 $T --help"), 0);
    assert_int_equal(sh("$T --man | grep -A1 'B ATTN_ISA'"), 0);
    for (int i = 0; attn_isa_at(i) != NULL; i++) {
        assert_non_null(strstr(output, attn_isa_at(i)));
    }
}

static void lines_keep_their_order_and_their_bits(void **unused) {
    (void)unused;
    assert_int_equal(sh("$T translate --scores lines"), 0);
    int newlines = 0;
    for (const char *c = output; *c != '\0'; c++) {
        newlines += *c == '\n';
    }
    assert_int_equal(newlines, 5);
    expect_text("\n0.0000\t\n"); /* the empty line */
    expect_same("$T translate --scores --batch 1 lines");
    expect_same("$T translate --scores -j 1 <lines");
    expect_same("$T translate --scores -j2 --batch=2 - <lines");
    expect_same("while read -r l; do printf '%s\\n' \"$l\" | $T translate --scores; done <lines");
    assert_int_equal(sh("$T translate --sample --seed 3 lines"), 0);
    expect_same("$T translate --sample --seed 3 --batch 1 lines");
    assert_int_equal(sh("$T translate lines && $T translate lines"), 0);
    expect_same("cat lines lines | $T translate");
}

/* Other numbers than those of floats, the same whatever computes them. */
static void integers_have_their_own_bits(void **unused) {
    (void)unused;
    assert_int_equal(sh("$T translate --scores lines >floats; $T translate --int8 --scores lines "
                        ">integers; ! cmp -s floats integers && cat integers"),
                     0);
    expect_same("$T translate --int8 --scores --batch 1 -j 1 lines");
    expect_same_on_every_isa("$T translate --int8 --scores -j2 --batch 2 lines");
    assert_int_equal(sh("$T evaluate --int8 --source lines --reference lines --output out && "
                        "$T translate --int8 lines | cmp - out"),
                     0);
}

/* Few words are considered, the same whatever else is translated. */
static void shortlists(void **unused) {
    (void)unused;
    assert_int_equal(sh("$T translate --scores lines >whole; printf 'a cat\\nthe river\\n' >en; "
                        "printf 'un chat\\nla rivi\303\250re\\n' >fr; "
                        "$T shortlist -s en -t fr -o some --likely 2 --frequent 5 && "
                        "$T shortlist -s en -t fr -o same --likely 2 --frequent 5 -j 1 && "
                        "cmp some same && $T translate --scores --shortlist some lines >few && "
                        "! cmp -s whole few && cat few"),
                     0);
    expect_same("$T translate --scores --shortlist some --batch 1 -j 1 lines");
    expect_same_on_every_isa("$T translate --scores --shortlist some -j2 lines");
    assert_int_equal(sh("$T translate --int8 --scores --shortlist some lines"), 0);
    expect_same_on_every_isa("$T translate --int8 --scores --shortlist some --batch 2 lines");
    expect_error(2, sh("$T shortlist -s en -t fr"), "--output");
    expect_error(1, sh("$T translate --shortlist lines lines"), "lines");
    expect_error(1, sh("$T translate --shortlist model.safetensors lines"), "not a shortlist");
    expect_error(1, sh("$T translate --shortlist missing lines"), "missing");
}

static void what_has_arrived_is_translated(void **unused) {
    (void)unused;
    int to[2], from[2];
    char answer[4096], model[128];
    snprintf(model, sizeof model, "%s/model.safetensors", folder);
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[1]);
        close(from[0]);
        execl(ATTN_TEST_TOOL, "attn", "translate", "--model", model, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    alarm(60); /* a tool that waits for more would wait forever */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write(to[1], "The cat\nThe dog", 15), 15);
        assert_true(read(from[0], answer, sizeof answer) > 0);
        assert_int_equal(write(to[1], "\n", 1), 1);
        assert_true(read(from[0], answer, sizeof answer) > 0);
    }
    alarm(0);
    close(to[1]);
    assert_int_equal(read(from[0], answer, sizeof answer), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(from[0]);
}

static json_t *parse_line(const char *text) {
    json_error_t error;
    json_t *object = json_loads(text, JSON_DISABLE_EOF_CHECK, &error);
    if (object == NULL) {
        fail_msg("%s in: %s", error.text, text);
    }
    return object;
}

static void json_holds_tokens_scores_and_attention(void **unused) {
    (void)unused;
    assert_int_equal(sh("head -1 lines | $T translate --json --n-best 3"), 0);
    json_t *object = parse_line(output);
    assert_int_equal(json_array_size(json_object_get(object, "translations")), 3);
    json_t *sentence = json_array_get(json_object_get(object, "sentences"), 0);
    size_t source = json_array_size(json_object_get(sentence, "source_tokens"));
    json_t *translations = json_object_get(sentence, "hypotheses");
    assert_int_equal(json_array_size(translations), 3);
    assert_string_equal(json_string_value(json_object_get(object, "source")),
                        "The cat sees the river, number 12.");
    for (size_t i = 0; i < 3; i++) {
        json_t *t = json_array_get(translations, i), *row;
        json_t *attention = json_object_get(t, "attention");
        size_t tokens = json_array_size(json_object_get(t, "tokens")), r, c;
        double sum = 0;
        json_t *log_p = json_object_get(t, "token_log_probabilities"), *value;
        assert_int_equal(json_array_size(log_p), tokens);
        assert_int_equal(json_array_size(attention), tokens);
        json_array_foreach(log_p, r, value) {
            sum += json_real_value(value);
        }
        double total = json_real_value(json_object_get(t, "log_probability"));
        assert_true(sum - total < 1e-4 && total - sum < 1e-4);
        json_array_foreach(attention, r, row) {
            double weight = 0;
            assert_int_equal(json_array_size(row), source);
            json_array_foreach(row, c, value) {
                weight += json_number_value(value);
            }
            assert_true(weight > 0.999 && weight < 1.001);
        }
    }
    json_decref(object);
}

/* Drawn translations that are cut into the same tokens again must get the same log-probabilities. */
static void score_agrees_with_translate(void **unused) {
    (void)unused;
    assert_int_equal(sh("for i in 1 2 3 4 5 6 7 8 9; do cat lines; done | grep . >many; "
                        "$T translate --raw --sample --max-length 6 --json many >drawn; "
                        "$T translate --raw --sample --max-length 6 many >texts; "
                        "$T score --raw --source many --target texts --json --batch 5 >scored; "
                        "cat drawn"),
                     0);
    char *drawn = strdup(output);
    assert_int_equal(sh("cat scored"), 0);
    const char *a = drawn, *b = output;
    int same = 0;
    for (int i = 0; i < 36; i++) {
        json_t *x = parse_line(a), *y = parse_line(b);
        json_t *sentence = json_array_get(json_object_get(x, "sentences"), 0);
        json_t *first = json_array_get(json_object_get(sentence, "hypotheses"), 0);
        if (json_equal(json_object_get(first, "tokens"), json_object_get(y, "tokens"))) {
            same++;
            assert_true(json_equal(json_object_get(first, "token_log_probabilities"),
                                   json_object_get(y, "token_log_probabilities")));
        }
        json_decref(x);
        json_decref(y);
        a = strchr(a, '\n') + 1;
        b = strchr(b, '\n') + 1;
    }
    assert_true(same > 0);
    free(drawn);
    assert_int_equal(sh("$T score --source many --target texts"), 0);
    expect_same("$T score --source many --target texts --batch 1 -j 1");
}

static void a_long_line_is_translated_in_parts(void **unused) {
    (void)unused;
    assert_int_equal(
        sh("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do printf 'The cat sees the river. '; done "
           ">long; echo >>long; $T translate long | wc -l"),
        0);
    assert_int_equal(atoi(output), 1);
    assert_int_equal(sh("$T translate --json long"), 0);
    json_t *object = parse_line(output);
    json_t *sentences = json_object_get(object, "sentences"), *sentence;
    size_t i;
    assert_int_equal(json_array_size(sentences), 14);
    json_array_foreach(sentences, i, sentence) {
        assert_string_equal(json_string_value(json_object_get(sentence, "source")),
                            "The cat sees the river.");
    }
    json_decref(object);
    /* Raw, the line is one sequence, cut where the model can read no more. */
    assert_int_equal(sh("$T translate --raw --json long"), 0);
    object = parse_line(output);
    sentences = json_object_get(object, "sentences");
    assert_in_range(json_array_size(sentences), 2, 13);
    size_t tokens = 0;
    json_array_foreach(sentences, i, sentence) {
        size_t these = json_array_size(json_object_get(sentence, "source_tokens"));
        assert_in_range(these, 2, 64);
        tokens += these;
    }
    assert_true(tokens > 64);
    json_decref(object);
    assert_int_equal(sh("tr -d . <long >endless; $T translate endless"), 0);
    expect_text("attn: warning: endless:1: ");
    assert_int_equal(
        sh("$T score --source lines --target lines >all; $T score --raw --source endless "
           "--target endless"),
        1);
    expect_text("attn: endless:1: ");
}

/* A page is one text: tags stay, and what holds no word is copied. */
static void a_page_is_translated_whole(void **unused) {
    (void)unused;
    assert_int_equal(
        sh("printf '<ul>\\n<li>The cat\\n<li>42 &amp; 7</ul>\\n' | $T translate --html"), 0);
    assert_memory_equal(output, "<ul>\n<li>", 9);
    expect_text("\n<li>42 &amp; 7</ul>\n");
    assert_int_equal(sh("printf 'a\\0b' | $T translate --html"), 1);
    expect_text("NUL");
    assert_int_equal(sh("echo cat | $T translate --html --raw"), 2);
}

/* A document keeps all but its text, and says so when it cannot. */
static void a_document_is_translated(void **unused) {
    (void)unused;
    assert_int_equal(
        sh("printf '1\\n00:00:01,000 --> 00:00:02,000\\nThe cat\\n\\n2\\n00:00:03,000 "
           "--> 00:00:04,000\\n42\\n' >in.srt; $T translate --file in.srt -o out.srt && "
           "sed 3d in.srt >a && sed 3d out.srt >b && cmp a b && sed -n 3p out.srt >c && "
           "echo The cat | $T translate >d && cmp c d"),
        0);
    assert_int_equal(sh("$T translate --file - <in.srt | cmp - out.srt"), 0);
    assert_int_equal(sh("printf '\\377' >bad.md; $T translate --file bad.md -o none"), 1);
    expect_text("attn: bad.md:1: the file is not UTF-8: save it as UTF-8");
    assert_int_equal(sh("test -e none"), 1);
    assert_int_equal(sh("$T translate --file lines.csv"), 1);
    assert_int_equal(sh("$T translate --file in.srt --html"), 2);
    assert_int_equal(sh("$T translate -o out lines"), 2);
    expect_text("name it with --file");
}

static void evaluate_measures(void **unused) {
    (void)unused;
    assert_int_equal(sh("$T evaluate --reference lines --hypothesis lines"), 0);
    expect_text("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:");
    expect_text(" = 100.00 100.0/100.0/100.0/100.0 (BP = 1.000");
    expect_text("chrF2|");
    assert_int_equal(sh("$T evaluate --source lines --reference lines --output out "
                        "--tokenizer char --lowercase"),
                     0);
    expect_text("case:lc|eff:no|tok:char");
    expect_same("$T evaluate --hypothesis out --reference lines --tokenizer char --lowercase");
    /* A byte order mark is no word. */
    assert_int_equal(sh("for f in lines out; do printf '\\357\\273\\277' >m$f; cat $f >>m$f; done; "
                        "$T evaluate --hypothesis out --reference lines >a && "
                        "$T evaluate --hypothesis mout --reference mlines >b && cmp a b && "
                        "$T evaluate --source mlines --reference mlines --output c && cmp out c"),
                     0);
    assert_int_equal(sh("$T evaluate --hypothesis lines --reference lines --json"), 0);
    json_t *object = parse_line(output);
    assert_true(json_real_value(json_object_get(json_object_get(object, "bleu"), "score")) > 99.9);
    json_decref(object);
}

static void info_tells(void **unused) {
    (void)unused;
    assert_int_equal(sh("$T info model.safetensors"), 0);
    expect_text("d_model");
    expect_text("none, made up");
    expect_text("total");
    expect_text("?]0;title? two\n"); /* a stranger's metadata, without what a terminal obeys */
    expect_text(" ?31m lines\n");
    assert_null(strchr(output, '\x1b'));
    assert_int_equal(sh("$T info --json model.safetensors"), 0);
    json_t *object = parse_line(output);
    json_int_t sum = 0;
    const char *key;
    json_t *value, *parts = json_object_get(object, "parameters");
    json_object_foreach(parts, key, value) {
        sum += strcmp(key, "total") != 0 ? json_integer_value(value) : 0;
    }
    assert_true(sum > 0);
    assert_int_equal(sum, json_integer_value(json_object_get(parts, "total")));
    json_decref(object);
}

static void bad_files_are_named(void **unused) {
    (void)unused;
    expect_error(1, sh("$T translate missing"), "attn: missing: ");
    expect_error(1, sh("$T translate ."), "attn: .: ");
    expect_error(1, sh(": >empty; $T translate empty"), "empty");
    expect_error(1, sh("$T evaluate --source empty --reference lines"), "attn: empty: ");
    expect_error(1, sh("printf 'a\\nb\\n' >two; $T evaluate --source lines --reference two"),
                 "2 lines, but lines has 5");
    expect_error(1, sh("$T evaluate --hypothesis two --reference lines"),
                 "2 lines, but lines has 5");
    expect_error(1, sh("$T score --source lines --target two"), "2 lines, but lines has 5");
    assert_int_equal(sh("printf 'The cat\\nThe \\377cat\\n' >bytes; $T translate bytes"), 1);
    expect_text("attn: bytes:2: byte 5 of the line (0xFF) is not UTF-8");
    /* each line has its place, whatever the others are */
    assert_int_equal(sh("(printf 'The cat\n\377\n'; head -c 200000 /dev/zero | tr '\\0' a; printf "
                        "'\nThe cat\na\\0b\n') "
                        ">some; $T translate some >kept 2>said; test $? = 1"),
                     0);
    assert_int_equal(sh("printf 'The cat\n' | $T translate >one && (cat one; echo; echo; cat one; "
                        "echo) | cmp - kept"),
                     0);
    assert_int_equal(
        sh("grep -c '^attn: some:[235]: ' said | grep -x 3 && grep '^3 lines were no text' said"),
        0);
    assert_int_equal(sh("$T translate --strict some >kept 2>said; test $? = 1 && cmp one kept && ! "
                        "grep ':3:' said"),
                     0);
    expect_error(1, sh("$T evaluate --source lines --reference bytes"), "attn: bytes:2: ");
    expect_error(1, sh("head -c 70000 /dev/zero | tr '\\0' a >wide; $T translate wide >kept"),
                 "attn: wide:1: the line is longer than 65536 bytes");
    expect_error(1, sh("head -c 700000 /dev/zero | tr '\\0' a >wide; $T translate wide >kept"),
                 "attn: wide:1: the line is longer than 65536 bytes");
    expect_error(1, sh("printf 'a\\0b\\n' | $T translate >kept"), "standard input:1: ");
}

static void bad_models_are_named(void **unused) {
    (void)unused;
    expect_error(1, sh("$T translate --model missing.safetensors lines"),
                 "attn: missing.safetensors: ");
    /* A copy of the tool has no models beside it; an installed one would be found. */
    if (access(ATTN_DATA_DIR "/models", F_OK) != 0) {
        expect_error(1, sh("cp $T tool && ATTN_MODEL= ./tool translate lines"),
                     "tried models/en-fr.safetensors");
    }
    expect_error(1, sh("$T info lines"), "attn: lines:");
    expect_error(1, sh("head -c 5000 model.safetensors >cut.safetensors; $T info cut.safetensors"),
                 "attn: cut.safetensors:");
    expect_error(1, sh("$T translate --model other.safetensors lines"),
                 "pieces, but the model has ");
}

static void a_full_disk_is_a_failure(void **unused) {
    (void)unused;
    /* No file may grow over a few KiB: what a full disk looks like, without needing one. (Not over 0:
     * OpenMP itself may want a small file of shared memory.) */
    static const char *const commands[][2] = {
        {"--man", "standard output: cannot write: "},
        {"translate --json big", "standard output: cannot write: "},
        {"evaluate --source big --reference big --output grows", "grows: cannot write: "},
    };
    assert_int_equal(sh("for i in 1 2 3 4 5 6 7 8 9; do cat lines; done >some; "
                        "cat some some some some >big"),
                     0);
    for (size_t i = 0; i < 3; i++) {
        expect_error(1, sh("(ulimit -f 8; $T %s >full)", commands[i][0]), commands[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_and_misuse),
        cmocka_unit_test(help_is_even),
        cmocka_unit_test(manual_and_completion),
        cmocka_unit_test(lines_keep_their_order_and_their_bits),
        cmocka_unit_test(unknown_instruction_sets_are_refused),
        cmocka_unit_test(integers_have_their_own_bits),
        cmocka_unit_test(shortlists),
        cmocka_unit_test(what_has_arrived_is_translated),
        cmocka_unit_test(json_holds_tokens_scores_and_attention),
        cmocka_unit_test(score_agrees_with_translate),
        cmocka_unit_test(a_long_line_is_translated_in_parts),
        cmocka_unit_test(a_page_is_translated_whole),
        cmocka_unit_test(a_document_is_translated),
        cmocka_unit_test(evaluate_measures),
        cmocka_unit_test(info_tells),
        cmocka_unit_test(bad_files_are_named),
        cmocka_unit_test(bad_models_are_named),
        cmocka_unit_test(a_full_disk_is_a_failure),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
