/* text/tokenizer.cpp: SentencePiece, WordPiece and BPE over bytes (cutter.c) and words parted by spaces, behind the C interface of attn/tokenizer.h.
 *
 * This and its neighbours tokenizer_train.cpp and tokenizer_parts.hpp are the only C++ in attn. No exception leaves them.
 * SentencePiece ends the process on a few kinds of bad input; each of them is looked for here first.
 * Source: Kudo and Richardson 2018. */
#include <sentencepiece_processor.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "text/tokenizer_parts.hpp"

extern "C" {
#include "attn/tokenizer.h"
#include "base/utf8.h"
#include "text/charsmap.h"
#include "text/cutter.h"
#include "text/elision.h"
#include "text/known_words.h"
#include "text/normalize.h"
#include "text/piece_table.h"
#include "text/protobuf.h"
#include "text/tags.h"
#include "text/tokenizer_dropout.h"
#include "text/unknown.h"
}

struct attn_tokenizer {
    sentencepiece::SentencePieceProcessor processor;
    std::string bytes;
    std::string elisions, known;            /* known_words.h */
    std::unique_ptr<attn_tokenizer> target; /* empty: a joint tokenizer */
    bool merges = false;                    /* a tokenizer of BPE, its ids its own */
    attn_special_ids special = {ATTN_PAD, ATTN_UNK, ATTN_BOS, ATTN_EOS};
    attn_piece_table table{}; /* its ids, where they are not those of the processor; else empty */
    attn_normalizer normalizer{}; /* what is done to a text before SentencePiece sees it */
    bool words = false; /* a cutter: the table is its vocabulary, the processor is not used */
    bool plain = false; /* words parted by spaces: likewise */
    attn_cutter cutter{};
    std::vector<std::string> surfaces; /* of both: their pieces as SentencePiece would write them */

    attn_tokenizer() = default;
    attn_tokenizer(const attn_tokenizer &) = delete;
    attn_tokenizer &operator=(const attn_tokenizer &) = delete;
    ~attn_tokenizer() {
        attn_cutter_free(&cutter);
        attn_piece_table_free(&table);
        attn_normalizer_free(&normalizer);
    }
};

namespace {

using namespace attn_tokenizing;

attn_protobuf message_of(const std::string &bytes) {
    return {reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size(), 0};
}

/* The bytes of a field; the last such field counts, as always in protocol buffers. */
std::string find_bytes(const std::string &bytes, uint64_t number) {
    attn_protobuf message = message_of(bytes);
    attn_protobuf_field field;
    std::string found;
    while (message.at < message.size && attn_protobuf_next(&message, &field)) {
        if (field.number == number && field.holds_bytes) {
            found.assign(reinterpret_cast<const char *>(field.bytes.data), field.bytes.size);
        }
    }
    return found;
}

std::string without(const std::string &bytes, uint64_t number) {
    attn_protobuf message = message_of(bytes);
    attn_protobuf_field field;
    std::string left;
    for (size_t begin = 0; message.at < message.size; begin = message.at) {
        if (!attn_protobuf_next(&message, &field)) {
            return bytes;
        }
        if (field.number != number) {
            left.append(bytes, begin, message.at - begin);
        }
    }
    return left;
}

/* ---- two sides ---- */

/* The field of the source's model that holds the target's. */
constexpr unsigned TARGET_FIELD = 201;
/* That of the words that were met in training. Others are of piece_table.c and normalize.c. */
constexpr unsigned WORDS_FIELD = 204;

/* ---- loading ---- */

attn_status check_special_pieces(const sentencepiece::SentencePieceProcessor &processor,
                                 attn_error *error) {
    if (processor.pad_id() != ATTN_PAD || processor.unk_id() != ATTN_UNK ||
        processor.bos_id() != ATTN_BOS || processor.eos_id() != ATTN_EOS) {
        return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", -1,
                         "train it with --pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3",
                         "its special pieces are not <pad> 0, <unk> 1, <s> 2, </s> 3");
    }
    return ATTN_OK;
}

/* What is printed and sent later must be text. */
attn_status check_text(const sentencepiece::SentencePieceProcessor &processor, attn_error *error) {
    for (int id = 0; id < processor.GetPieceSize(); id++) {
        const std::string &piece = processor.IdToPiece(id);
        if (!attn_utf8_whole(piece.data(), piece.size())) {
            return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", id,
                             "take an undamaged copy of the model", "a piece is not UTF-8");
        }
    }
    return ATTN_OK;
}

attn_status load_cutter(attn_tokenizer *tokenizer, attn_error *error) {
    attn_status status = attn_cutter_read(tokenizer->bytes.data(), tokenizer->bytes.size(),
                                          &tokenizer->cutter, &tokenizer->table, error);
    tokenizer->words = true;
    tokenizer->special = tokenizer->table.special;
    for (int32_t id = 0; id < tokenizer->table.count && status == ATTN_OK; id++) {
        attn_buffer surface{};
        attn_cutter_surface(&tokenizer->cutter, &tokenizer->table, id, &surface);
        char *text = nullptr;
        status = attn_buffer_take(&surface, &text, error);
        std::unique_ptr<char, decltype(&std::free)> owner(text, std::free);
        tokenizer->surfaces.emplace_back(text != nullptr ? text : "");
    }
    return status;
}

attn_status read_elisions(attn_tokenizer *tokenizer, attn_error *error) {
    tokenizer->elisions = find_bytes(tokenizer->bytes, ELISIONS_FIELD);
    if (tokenizer->elisions.size() >= ATTN_ELISIONS_SIZE ||
        !attn_elisions_valid(tokenizer->elisions.c_str())) {
        return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", -1,
                         "take an undamaged copy of the model", "its list of elisions is damaged");
    }
    return ATTN_OK;
}

constexpr const char *SPACE = "\xe2\x96\x81"; /* U+2581, as SentencePiece writes a space */

void note_plain(attn_tokenizer *tokenizer) {
    tokenizer->plain = true;
    tokenizer->special = tokenizer->table.special;
    for (int32_t id = 0; id < tokenizer->table.count; id++) {
        const char *word = attn_piece_table_text(&tokenizer->table, id);
        tokenizer->surfaces.push_back(
            tokenizer->table.piece[id].control ? word : std::string(SPACE) + word);
    }
}

attn_status load_sentencepiece(attn_tokenizer *tokenizer, attn_error *error) {
    const std::string &bytes = tokenizer->bytes;
    attn_status status = attn_piece_table_read(message_of(bytes), &tokenizer->table, error);
    if (status == ATTN_OK && tokenizer->table.plain) {
        note_plain(tokenizer);
        return ATTN_OK;
    }
    status = status == ATTN_OK ? attn_charsmap_check(bytes.data(), bytes.size(), error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    auto loaded = tokenizer->processor.LoadFromSerializedProto(bytes);
    if (!loaded.ok()) {
        return fail_with(error, ATTN_ERR_FORMAT, "take an undamaged copy of the model", loaded);
    }
    status = check_text(tokenizer->processor, error);
    if (status == ATTN_OK) {
        status = read_elisions(tokenizer, error);
    }
    if (status == ATTN_OK) {
        status = attn_normalizer_read(message_of(bytes), &tokenizer->normalizer, error);
    }
    tokenizer->known = find_bytes(bytes, WORDS_FIELD);
    bool numbered = tokenizer->table.count > 0;
    tokenizer->merges = attn_model_is_bpe(message_of(bytes)) && !numbered;
    if (numbered) {
        tokenizer->special = tokenizer->table.special;
        return status;
    }
    return status == ATTN_OK ? check_special_pieces(tokenizer->processor, error) : status;
}

attn_status load(std::string bytes, attn_tokenizer **out, attn_error *error);

attn_status load_target(attn_tokenizer *tokenizer, attn_error *error) {
    std::string target = find_bytes(tokenizer->bytes, TARGET_FIELD);
    if (target.empty()) {
        return ATTN_OK;
    }
    if (!find_bytes(target, TARGET_FIELD).empty()) {
        return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", -1,
                         "take an undamaged copy of the model",
                         "the tokenizer of its target has a target itself");
    }
    attn_tokenizer *side = nullptr;
    attn_status status = load(std::move(target), &side, error);
    tokenizer->target.reset(side);
    return status;
}

attn_status load(std::string bytes, attn_tokenizer **out, attn_error *error) {
    auto tokenizer = std::make_unique<attn_tokenizer>();
    tokenizer->bytes = std::move(bytes);
    attn_status status;
    if (attn_cutter_recognize(tokenizer->bytes.data(), tokenizer->bytes.size())) {
        status = load_cutter(tokenizer.get(), error);
    } else {
        status = load_sentencepiece(tokenizer.get(), error);
        if (status == ATTN_OK) {
            status = load_target(tokenizer.get(), error);
        }
    }
    if (status == ATTN_OK) {
        *out = tokenizer.release();
    }
    return status;
}

/* A malloc'ed copy, as the callers of a C interface can free. */
template <typename Item>
attn_status copy_out(const Item *items, size_t count, Item **out, attn_error *error) {
    *out = static_cast<Item *>(std::malloc(count * sizeof(Item)));
    if (*out == nullptr) {
        return attn_fail_memory(error, count * sizeof(Item));
    }
    std::memcpy(*out, items, count * sizeof(Item));
    return ATTN_OK;
}

/* ---- pieces and ids, whoever numbers them ---- */

int32_t size_of(const attn_tokenizer &tokenizer) {
    return tokenizer.table.count > 0 ? tokenizer.table.count : tokenizer.processor.GetPieceSize();
}

bool in_range(const attn_tokenizer &tokenizer, int32_t id) {
    return id >= 0 && id < size_of(tokenizer);
}

const char *piece_of(const attn_tokenizer &tokenizer, int32_t id) {
    return tokenizer.table.count > 0 ? attn_piece_table_text(&tokenizer.table, id)
                                     : tokenizer.processor.IdToPiece(id).c_str();
}

int32_t id_of(const attn_tokenizer &tokenizer, const std::string &piece) {
    if (tokenizer.table.count == 0) {
        return tokenizer.processor.PieceToId(piece);
    }
    int32_t id = attn_piece_table_find(&tokenizer.table, piece.data(), piece.size());
    return id >= 0 ? id : tokenizer.special.unk;
}

/* Of an id in range. */
bool is_control(const attn_tokenizer &tokenizer, int32_t id) {
    return tokenizer.table.count > 0 ? tokenizer.table.piece[id].control
                                     : tokenizer.processor.IsControl(id);
}

bool is_tag(const attn_tokenizer &tokenizer, int32_t id) {
    return in_range(tokenizer, id) && is_control(tokenizer, id) &&
           !attn_is_special(tokenizer.special, id);
}

/* Of an id in range: a piece of a byte that is <0xE2>, say. */
bool is_byte(const attn_tokenizer &tokenizer, int32_t id) {
    const auto &processor = tokenizer.processor;
    if (tokenizer.words || tokenizer.plain) {
        return false;
    }
    return processor.IsByte(tokenizer.table.count > 0
                                ? processor.PieceToId(attn_piece_table_text(&tokenizer.table, id))
                                : id);
}

/* Length of the ">>fra<<" in front of a text, where the tokenizer takes such; 0: none. */
size_t code_length(const attn_tokenizer &tokenizer, const std::string &text) {
    size_t end = tokenizer.table.codes && text.compare(0, 2, ">>") == 0 ? text.find("<<")
                                                                        : std::string::npos;
    return end == std::string::npos ? 0 : end + 2;
}

/* As SentencePiece gets it. */
attn_status prepare(const attn_tokenizer &tokenizer, const char *text, size_t length,
                    std::string *line, attn_error *error) {
    if (tokenizer.normalizer.count == 0) {
        *line = split(tokenizer.elisions, text, length);
        return ATTN_OK;
    }
    char *normal = nullptr;
    attn_status status =
        attn_normalizer_apply(&tokenizer.normalizer, text, length, &normal, &length, error);
    std::unique_ptr<char, decltype(&std::free)> owner(normal, std::free);
    if (status == ATTN_OK) {
        *line = split(tokenizer.elisions, normal, length);
    }
    return status;
}

attn_status cut(const attn_tokenizer &tokenizer, const char *text, size_t length,
                std::vector<std::string> *pieces, attn_error *error) {
    if (tokenizer.plain) {
        std::istringstream words(std::string(text, length));
        pieces->assign(std::istream_iterator<std::string>(words), {});
        return ATTN_OK;
    }
    std::string line;
    attn_status prepared = prepare(tokenizer, text, length, &line, error);
    if (prepared != ATTN_OK) {
        return prepared;
    }
    size_t code = code_length(tokenizer, line);
    std::vector<std::string> rest;
    auto status = tokenizer.processor.Encode(line.substr(code), &rest);
    if (!status.ok()) {
        return fail_with(error, ATTN_ERR_FORMAT, nullptr, status);
    }
    pieces->clear();
    if (code > 0) {
        pieces->push_back(line.substr(0, code));
    }
    pieces->insert(pieces->end(), rest.begin(), rest.end());
    return ATTN_OK;
}

void note_id(int32_t id, const char *text, size_t length, void *context) {
    (void)text;
    (void)length;
    attn_buffer_add(static_cast<attn_buffer *>(context), &id, sizeof id);
}

attn_status encode_words(const attn_tokenizer &tokenizer, const char *text, size_t length,
                         std::vector<int32_t> *ids, attn_error *error) {
    attn_buffer found{};
    attn_status status = attn_cutter_encode(&tokenizer.cutter, &tokenizer.table, text, length,
                                            note_id, &found, error);
    size_t count = found.length / sizeof(int32_t);
    char *bytes = nullptr;
    attn_status taken = attn_buffer_take(&found, &bytes, status == ATTN_OK ? error : nullptr);
    std::unique_ptr<char, decltype(&std::free)> owner(bytes, std::free);
    status = status == ATTN_OK ? taken : status;
    if (status == ATTN_OK && count > 0) {
        ids->resize(count);
        std::memcpy(ids->data(), bytes, count * sizeof(int32_t));
    }
    return status;
}

attn_status encode(const attn_tokenizer &tokenizer, const char *text, size_t length,
                   std::vector<int32_t> *ids, attn_error *error) {
    static_assert(sizeof(int) == sizeof(int32_t), "piece ids are 32 bits wide");
    if (tokenizer.words) {
        return encode_words(tokenizer, text, length, ids, error);
    }
    if (tokenizer.table.count == 0) {
        std::string line;
        attn_status prepared = prepare(tokenizer, text, length, &line, error);
        if (prepared != ATTN_OK) {
            return prepared;
        }
        auto status = tokenizer.processor.Encode(line, ids);
        return status.ok() ? ATTN_OK : fail_with(error, ATTN_ERR_FORMAT, nullptr, status);
    }
    std::vector<std::string> pieces;
    attn_status status = cut(tokenizer, text, length, &pieces, error);
    for (const std::string &piece : pieces) {
        ids->push_back(id_of(tokenizer, piece));
    }
    return status;
}

/* What SentencePiece does not know it leaves as it is, marks of spaces and all. */
std::string without_marks(std::string text) {
    for (size_t at = 0; (at = text.find(SPACE, at)) != std::string::npos; at++) {
        text.replace(at, std::strlen(SPACE), " ");
    }
    size_t first = text.find_first_not_of(' ');
    size_t last = text.find_last_not_of(' ');
    return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

attn_status decode_words(const attn_tokenizer &tokenizer, const std::vector<int32_t> &ids,
                         std::string *text, attn_error *error) {
    attn_buffer words{};
    attn_cutter_decode(&tokenizer.cutter, &tokenizer.table, ids.data(), ids.size(), &words);
    char *bytes = nullptr;
    attn_status status = attn_buffer_take(&words, &bytes, error);
    std::unique_ptr<char, decltype(&std::free)> owner(bytes, std::free);
    text->assign(bytes != nullptr ? bytes : "");
    return status;
}

/* The text of ids in range, none of them special. */
attn_status decode(const attn_tokenizer &tokenizer, const std::vector<int32_t> &ids,
                   std::string *text, attn_error *error) {
    if (tokenizer.words) {
        return decode_words(tokenizer, ids, text, error);
    }
    const auto &processor = tokenizer.processor;
    sentencepiece::util::Status status;
    if (tokenizer.plain) {
        for (size_t i = 0; i < ids.size(); i++) {
            *text += (i > 0 ? " " : "") + std::string(piece_of(tokenizer, ids[i]));
        }
        return ATTN_OK;
    }
    if (tokenizer.table.count > 0) {
        std::vector<std::string> pieces;
        pieces.reserve(ids.size());
        for (int32_t id : ids) {
            pieces.emplace_back(piece_of(tokenizer, id));
        }
        status = processor.Decode(pieces, text);
        *text = without_marks(*text);
    } else {
        status = processor.Decode(ids, text);
    }
    if (!status.ok()) {
        return fail_with(error, ATTN_ERR_FORMAT, nullptr, status);
    }
    text->resize(attn_elisions_join(tokenizer.elisions.c_str(), &(*text)[0], text->size()));
    return ATTN_OK;
}

/* ---- characters without a piece ---- */

/* The byte that a piece "<0xE2>" stands for. */
char byte_of(const std::string &piece) {
    return static_cast<char>(std::strtol(piece.c_str() + 1, nullptr, 16));
}

void tell_characters(const std::string &text, attn_unknown_found *found, void *context) {
    for (size_t at = 0; at < text.size();) {
        size_t step = attn_utf8_step(text.data() + at, text.size() - at);
        if (step == 0) {
            return;
        }
        found(text.data() + at, step, context);
        at += step;
    }
}

struct unknown_listener {
    int32_t unknown;
    attn_unknown_found *found;
    void *context;
};

void tell_unknown_word(int32_t id, const char *text, size_t length, void *context) {
    const auto *listener = static_cast<const unknown_listener *>(context);
    for (size_t at = 0, step; id == listener->unknown && at < length; at += step) {
        step = attn_utf8_step(text + at, length - at);
        if (step == 0) {
            return;
        }
        listener->found(text + at, step, listener->context);
    }
}

/* ---- the merges of BPE, some of them left out ---- */

/* Merges the characters of one word: the pair whose piece came first in training (the one of highest
 * score), and of equal ones the leftmost. false: some piece of the result is not in the vocabulary. */
class merger {
  public:
    merger(const sentencepiece::SentencePieceProcessor &processor, double dropout,
           attn_random *random)
        : processor_(processor), dropout_(dropout), random_(random) {
    }

    bool merge(const std::string &word, std::vector<int> *out) {
        part_.clear();
        pair_.clear();
        for (size_t at = 0; at < word.size();) {
            size_t step = attn_utf8_step(word.data() + at, word.size() - at);
            step = step > 0 ? step : 1;
            part_.push_back(word.substr(at, step));
            at += step;
        }
        for (size_t i = 0; i + 1 < part_.size(); i++) {
            pair_.push_back(piece(part_[i] + part_[i + 1]));
        }
        for (size_t best = choose(); best < pair_.size(); best = choose()) {
            join(best);
        }
        size_t before = out->size();
        for (const std::string &part : part_) {
            out->push_back(piece(part));
            if (out->back() < 0) {
                out->resize(before);
                return false;
            }
        }
        return true;
    }

  private:
    /* The id of a piece of text; -1: there is none. */
    int piece(const std::string &text) const {
        int id = processor_.PieceToId(text);
        bool text_piece = id > ATTN_EOS && !processor_.IsUnknown(id) && !processor_.IsControl(id) &&
                          !processor_.IsByte(id) && !processor_.IsUnused(id);
        return text_piece ? id : -1;
    }
    /* The merge to make; pair_.size(): none. */
    size_t choose() {
        size_t best = pair_.size();
        for (size_t i = 0; i < pair_.size(); i++) {
            bool kept =
                pair_[i] >= 0 && (dropout_ <= 0 || attn_random_uniform(random_) >= dropout_);
            if (kept && (best == pair_.size() ||
                         processor_.GetScore(pair_[i]) > processor_.GetScore(pair_[best]))) {
                best = i;
            }
        }
        return best;
    }
    void join(size_t at) {
        part_[at] += part_[at + 1];
        part_.erase(part_.begin() + (std::ptrdiff_t)at + 1);
        pair_.erase(pair_.begin() + (std::ptrdiff_t)at);
        if (at > 0) {
            pair_[at - 1] = piece(part_[at - 1] + part_[at]);
        }
        if (at < pair_.size()) {
            pair_[at] = piece(part_[at] + part_[at + 1]);
        }
    }

    const sentencepiece::SentencePieceProcessor &processor_;
    double dropout_;
    attn_random *random_;
    std::vector<std::string> part_;
    std::vector<int> pair_; /* of part i and the next: the id of both together, or -1 */
};

bool is_text(const sentencepiece::SentencePieceProcessor &processor, int id) {
    return id > ATTN_EOS && id < processor.GetPieceSize() && !processor.IsUnknown(id) &&
           !processor.IsControl(id) && !processor.IsByte(id);
}

} // namespace

extern "C" {

bool attn_tokenizer_merges(const attn_tokenizer *tokenizer) {
    return tokenizer->merges;
}

attn_status attn_tokenizer_remerge(const attn_tokenizer *tokenizer, const int32_t *ids,
                                   size_t count, double dropout, attn_random *random, int32_t **out,
                                   size_t *out_count, attn_error *error) {
    *out = nullptr;
    *out_count = 0;
    if (!tokenizer->merges) {
        return attn_fail(
            error, ATTN_ERR_ARGUMENT, "tokenizer", -1, "leave bpe_dropout at 0",
            "it has no merges to leave out: it is not BPE, or came with another model");
    }
    return guarded(error, [&] {
        const auto &processor = tokenizer->processor;
        merger merges(processor, dropout, random);
        std::vector<int> merged;
        for (size_t first = 0, end; first < count; first = end) {
            std::string word;
            bool whole = true;
            for (end = first; end < count; end++) {
                bool text = is_text(processor, ids[end]);
                const std::string &piece = text ? processor.IdToPiece(ids[end]) : std::string();
                if (end > first && piece.compare(0, std::strlen(SPACE), SPACE) == 0) {
                    break;
                }
                whole = whole && text;
                word += piece;
            }
            if (!whole || !merges.merge(word, &merged)) {
                merged.insert(merged.end(), ids + first, ids + end);
            }
        }
        if (merged.empty()) {
            return ATTN_OK;
        }
        *out_count = merged.size();
        return copy_out<int32_t>(merged.data(), merged.size(), out, error);
    });
}

attn_status attn_tokenizer_unknown(const attn_tokenizer *tokenizer, const char *text, size_t length,
                                   attn_unknown_found *found, void *context, attn_error *error) {
    if (tokenizer->words) {
        unknown_listener listener = {tokenizer->special.unk, found, context};
        return attn_cutter_encode(&tokenizer->cutter, &tokenizer->table, text, length,
                                  tell_unknown_word, &listener, error);
    }
    return guarded(error, [&] {
        std::vector<std::string> pieces;
        attn_status status = cut(*tokenizer, text, length, &pieces, error);
        if (status != ATTN_OK) {
            return status;
        }
        std::string run; /* bytes of characters, one after another */
        for (const std::string &piece : pieces) {
            int32_t id = id_of(*tokenizer, piece);
            if (is_byte(*tokenizer, id)) {
                run.push_back(byte_of(piece));
                continue;
            }
            tell_characters(run, found, context);
            run = id == tokenizer->special.unk ? piece : "";
        }
        tell_characters(run, found, context);
        return ATTN_OK;
    });
}

bool attn_tokenizer_is_byte(const attn_tokenizer *tokenizer, int32_t id) {
    return in_range(*tokenizer, id) && is_byte(*tokenizer, id);
}

int32_t attn_tokenizer_tag(const attn_tokenizer *tokenizer, const char *piece) {
    int32_t id = id_of(*tokenizer, piece);
    return is_tag(*tokenizer, id) ? id : -1;
}

size_t attn_tags_before(const attn_tokenizer *tokenizer, const int32_t *ids, size_t count) {
    size_t tags = 0;
    while (tags < count && is_tag(*tokenizer, ids[tags])) {
        tags++;
    }
    return tags;
}

attn_status attn_tokenizer_from_bytes(const void *bytes, size_t size, attn_tokenizer **out,
                                      attn_error *error) {
    *out = nullptr;
    return guarded(error, [&] {
        return load(std::string(static_cast<const char *>(bytes), size), out, error);
    });
}

attn_status attn_tokenizer_join(const attn_tokenizer *source, const attn_tokenizer *target,
                                attn_tokenizer **out, attn_error *error) {
    *out = nullptr;
    return guarded(error, [&] {
        if (source->target != nullptr || target->target != nullptr) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, "tokenizer", -1, nullptr,
                             "one of the two has two sides itself");
        }
        if (source->words || target->words) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, "tokenizer", -1,
                             "give both sides tokenizers of SentencePiece",
                             "one of the two is none");
        }
        std::string bytes = source->bytes;
        append_field(TARGET_FIELD, target->bytes, &bytes);
        return load(std::move(bytes), out, error);
    });
}

attn_known_words attn_tokenizer_known_words(const attn_tokenizer *tokenizer) {
    const std::string &known = tokenizer->known;
    return {known.empty() ? nullptr : reinterpret_cast<const unsigned char *>(known.data()),
            known.size()};
}

bool attn_tokenizer_carries_words(const attn_tokenizer *tokenizer) {
    return !tokenizer->words && !tokenizer->plain;
}

attn_status attn_tokenizer_with_words(const attn_tokenizer *tokenizer, attn_known_words words,
                                      attn_tokenizer **out, attn_error *error) {
    *out = nullptr;
    return guarded(error, [&] {
        std::string bytes = without(tokenizer->bytes, WORDS_FIELD);
        append_field(WORDS_FIELD,
                     std::string(reinterpret_cast<const char *>(words.bits), words.size), &bytes);
        return load(std::move(bytes), out, error);
    });
}

const attn_tokenizer *attn_tokenizer_target(const attn_tokenizer *tokenizer) {
    return tokenizer->target != nullptr ? tokenizer->target.get() : tokenizer;
}

void attn_tokenizer_free(attn_tokenizer *tokenizer) {
    delete tokenizer;
}

const void *attn_tokenizer_bytes(const attn_tokenizer *tokenizer, size_t *size) {
    *size = tokenizer->bytes.size();
    return tokenizer->bytes.data();
}

int32_t attn_tokenizer_size(const attn_tokenizer *tokenizer) {
    return size_of(*tokenizer);
}

attn_special_ids attn_tokenizer_special(const attn_tokenizer *tokenizer) {
    return tokenizer->special;
}

const char *attn_tokenizer_piece(const attn_tokenizer *tokenizer, int32_t id) {
    if (!in_range(*tokenizer, id)) {
        return "";
    }
    return tokenizer->words || tokenizer->plain
               ? tokenizer->surfaces[static_cast<size_t>(id)].c_str()
               : piece_of(*tokenizer, id);
}

attn_status attn_tokenizer_encode(const attn_tokenizer *tokenizer, const char *text, size_t length,
                                  int32_t **ids, size_t *count, attn_error *error) {
    *ids = nullptr;
    *count = 0;
    return guarded(error, [&] {
        std::vector<int32_t> encoded;
        attn_status status = encode(*tokenizer, text, length, &encoded, error);
        if (status != ATTN_OK || encoded.empty()) {
            return status;
        }
        *count = encoded.size();
        return copy_out<int32_t>(encoded.data(), encoded.size(), ids, error);
    });
}

attn_status attn_tokenizer_decode(const attn_tokenizer *tokenizer, const int32_t *ids, size_t count,
                                  char **text, attn_error *error) {
    *text = nullptr;
    return guarded(error, [&] {
        std::vector<int32_t> kept;
        kept.reserve(count);
        for (size_t i = 0; i < count; i++) {
            if (!in_range(*tokenizer, ids[i])) {
                return attn_fail(error, ATTN_ERR_ARGUMENT, "tokenizer", (int64_t)i, nullptr,
                                 "there is no piece %d", (int)ids[i]);
            }
            if (!attn_is_special(tokenizer->special, ids[i]) && !is_control(*tokenizer, ids[i])) {
                kept.push_back(ids[i]);
            }
        }
        std::string decoded;
        attn_status status = decode(*tokenizer, kept, &decoded, error);
        return status == ATTN_OK ? copy_out<char>(decoded.c_str(), decoded.size() + 1, text, error)
                                 : status;
    });
}

} // extern "C"
