/* text/tokenizer_train.cpp: training a tokenizer with SentencePiece.
 *
 * SentencePiece ends the process on a few kinds of bad input; each of them is looked for here first. Source: Kudo and
 * Richardson 2018. Next: tokenizer.cpp. */
#include <sentencepiece_trainer.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/tokenizer_parts.hpp"

extern "C" {
#include "attn/tokenizer.h"
#include "io/lines.h"
#include "text/tokenizer_lines.h"
}

namespace {

using namespace attn_tokenizing;

using options_map = std::unordered_map<std::string, std::string>;

/* The work shared out to the trainer's threads decides the order of its float sums, so their number
 * is part of the result and never the caller's. */
constexpr int TRAINING_THREADS = 4;
/* SentencePiece's log level: only what it says before it ends the process. */
constexpr const char *QUIET = "3";
constexpr size_t PROBE_LINES = 1000;

/* All lines of all files; frees them whatever happens. */
struct text_files {
    std::vector<attn_lines> files;

    text_files() = default;
    text_files(const text_files &) = delete;
    text_files &operator=(const text_files &) = delete;
    ~text_files() {
        for (attn_lines &lines : files) {
            attn_lines_free(&lines);
        }
    }
};

/* Hands the trainer at most `limit` lines. */
class line_iterator final : public sentencepiece::SentenceIterator {
  public:
    line_iterator(const std::vector<attn_lines> &text, const char *elisions, size_t limit)
        : files_(text), elisions_(elisions), limit_(limit) {
        settle();
    }
    bool done() const override {
        return file_ == files_.size() || given_ >= limit_;
    }
    void Next() override {
        line_++;
        given_++;
        settle();
    }
    const std::string &value() const override {
        return value_;
    }
    sentencepiece::util::Status status() const override {
        return {};
    }

  private:
    void settle() {
        while (file_ < files_.size() && line_ == files_[file_].count) {
            file_++;
            line_ = 0;
        }
        if (!done()) {
            value_ = split(elisions_, files_[file_].line[line_], files_[file_].length[line_]);
        }
    }

    const std::vector<attn_lines> &files_;
    std::string elisions_;
    size_t limit_, file_ = 0, line_ = 0, given_ = 0;
    std::string value_;
};

options_map training_options(const attn_tokenizer_options &options) {
    double coverage = options.character_coverage > 0 ? options.character_coverage : 1;
    char coverage_text[32];
    std::snprintf(coverage_text, sizeof coverage_text, "%.9g", coverage);
    options_map map = {
        {"minloglevel", QUIET},
        {"model_type", options.type},
        {"normalization_rule_name", options.normalization},
        {"vocab_size", std::to_string(options.vocabulary)},
        {"character_coverage", coverage_text},
        {"num_threads", std::to_string(TRAINING_THREADS)},
        {"pad_id", std::to_string(ATTN_PAD)},
        {"unk_id", std::to_string(ATTN_UNK)},
        {"bos_id", std::to_string(ATTN_BOS)},
        {"eos_id", std::to_string(ATTN_EOS)},
        {"byte_fallback", options.byte_fallback ? "true" : "false"},
    };
    if (options.tags != nullptr && options.tags[0] != '\0') {
        map["control_symbols"] = options.tags;
    }
    return map;
}

attn_status check_options(const attn_tokenizer_options &options, attn_error *error) {
    if (options.type == nullptr ||
        (std::strcmp(options.type, "unigram") != 0 && std::strcmp(options.type, "bpe") != 0)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "tokenizer", -1, "use unigram or bpe",
                         "unknown type \"%s\"", options.type != nullptr ? options.type : "");
    }
    bool known = false;
    for (const char *name : {"identity", "nfkc", "nfkc_cf", "nmt_nfkc", "nmt_nfkc_cf"}) {
        known |= options.normalization != nullptr && std::strcmp(options.normalization, name) == 0;
    }
    if (!known) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "tokenizer", -1,
                         "use identity, nfkc, nfkc_cf, nmt_nfkc or nmt_nfkc_cf",
                         "unknown normalization \"%s\"",
                         options.normalization != nullptr ? options.normalization : "");
    }
    double coverage = options.character_coverage;
    if (coverage != 0 && !(coverage >= 0.98 && coverage <= 1)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "tokenizer", -1, "use 0.98 to 1",
                         "character coverage %g", coverage);
    }
    if (options.elisions == nullptr || !attn_elisions_valid(options.elisions) ||
        std::strlen(options.elisions) >= ATTN_ELISIONS_SIZE) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "tokenizer", -1,
                         "write the words without apostrophes, one space between them",
                         "\"%s\" is not a list of elisions",
                         options.elisions != nullptr ? options.elisions : "");
    }
    if (options.vocabulary <= ATTN_EOS + 1) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "tokenizer", -1, "use a few thousand",
                         "a vocabulary of %d pieces", (int)options.vocabulary);
    }
    return ATTN_OK;
}

/* How many different characters the first `limit` lines have. SentencePiece's unigram trainer ends
 * the process when normalization leaves it no text at all; its trainer of single characters does
 * not, so that one is asked first. */
int count_characters(const options_map &options, const std::vector<attn_lines> &text,
                     const char *elisions, size_t limit) {
    options_map probe = options;
    probe["model_type"] = "char";
    probe["byte_fallback"] = "false";
    probe.erase("control_symbols");
    probe["vocab_size"] = "1200000"; /* only a ceiling: more than Unicode has characters */
    line_iterator lines(text, elisions, limit);
    std::string bytes;
    sentencepiece::SentencePieceProcessor processor;
    if (!sentencepiece::SentencePieceTrainer::Train(probe, &lines, &bytes).ok() ||
        !processor.LoadFromSerializedProto(bytes).ok()) {
        return 0;
    }
    return processor.GetPieceSize() - (ATTN_EOS + 1);
}

/* SentencePiece says how many pieces would have been possible only in its message; 0: it did not. */
int possible_pieces(const sentencepiece::util::Status &cause) {
    int possible = 0;
    const char *high = std::strstr(cause.error_message(), "to a value <= ");
    return high != nullptr && std::sscanf(high, "to a value <= %d", &possible) == 1 ? possible : 0;
}

attn_status explain_training(const attn_tokenizer_options &options,
                             const sentencepiece::util::Status &cause, attn_error *error) {
    int asked, needed, possible = possible_pieces(cause);
    const char *low = std::strstr(cause.error_message(), "smaller than required_chars. ");
    if (possible > 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "tokenizer", -1,
                         "ask for a smaller vocabulary or give more text",
                         "the text is too small for %d pieces: at most %d are possible",
                         (int)options.vocabulary, possible);
    }
    if (low != nullptr &&
        std::sscanf(low, "smaller than required_chars. %d vs %d", &asked, &needed) == 2) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "tokenizer", -1,
                         "ask for a larger vocabulary or a lower character coverage",
                         "%d pieces are too few: the characters alone need %d", asked, needed);
    }
    return fail_with(error, ATTN_ERR_FORMAT, nullptr, cause);
}

attn_status train_bytes(const attn_tokenizer_options &options, const std::vector<attn_lines> &text,
                        std::string *bytes, attn_error *error) {
    options_map arguments = training_options(options);
    if (count_characters(arguments, text, options.elisions, PROBE_LINES) == 0 &&
        count_characters(arguments, text, options.elisions, SIZE_MAX) == 0) {
        return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", -1, "give a file with sentences",
                         "there is no text to train on");
    }
    line_iterator lines(text, options.elisions, SIZE_MAX);
    auto status = sentencepiece::SentencePieceTrainer::Train(arguments, &lines, bytes);
    int possible = possible_pieces(status);
    if (!status.ok() && options.lower_vocabulary && possible > ATTN_EOS + 1) {
        arguments["vocab_size"] = std::to_string(possible);
        line_iterator again(text, options.elisions, SIZE_MAX);
        status = sentencepiece::SentencePieceTrainer::Train(arguments, &again, bytes);
    }
    if (!status.ok()) {
        return explain_training(options, status, error);
    }
    if (options.elisions[0] != '\0') {
        append_field(ELISIONS_FIELD, options.elisions, bytes);
    }
    return ATTN_OK;
}

} // namespace

attn_status attn_tokenizer_train_lines(const attn_lines *texts, size_t count,
                                       const attn_tokenizer_options *options, attn_tokenizer **out,
                                       attn_error *error) {
    *out = nullptr;
    return guarded(error, [&] {
        attn_status status = check_options(*options, error);
        std::string bytes;
        if (status == ATTN_OK) {
            status =
                train_bytes(*options, std::vector<attn_lines>(texts, texts + count), &bytes, error);
        }
        return status == ATTN_OK ? attn_tokenizer_from_bytes(bytes.data(), bytes.size(), out, error)
                                 : status;
    });
}

attn_status attn_tokenizer_train(const char *const *files, int file_count,
                                 const attn_tokenizer_options *options, attn_tokenizer **out,
                                 attn_error *error) {
    *out = nullptr;
    return guarded(error, [&] {
        attn_status status = ATTN_OK;
        text_files text;
        text.files.reserve(static_cast<size_t>(file_count));
        for (int i = 0; i < file_count && status == ATTN_OK; i++) {
            text.files.emplace_back();
            status = attn_lines_read(files[i], &text.files.back(), error);
        }
        return status == ATTN_OK ? attn_tokenizer_train_lines(text.files.data(), text.files.size(),
                                                              options, out, error)
                                 : status;
    });
}
