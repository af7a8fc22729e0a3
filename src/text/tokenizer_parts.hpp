/* text/tokenizer_parts.hpp: what reading a tokenizer (tokenizer.cpp) and training one (tokenizer_train.cpp) share. */
#ifndef ATTN_TEXT_TOKENIZER_PARTS_HPP
#define ATTN_TEXT_TOKENIZER_PARTS_HPP

#include <sentencepiece_processor.h>

#include <cstdint>
#include <exception>
#include <new>
#include <string>

extern "C" {
#include "attn/status.h"
#include "base/fail.h"
#include "text/elision.h"
}

namespace attn_tokenizing {

/* Runs the body; turns what it throws into a status. */
template <typename Body> attn_status guarded(attn_error *error, Body body) {
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return attn_fail(error, ATTN_ERR_MEMORY, "tokenizer", -1, "use less text", "out of memory");
    } catch (const std::exception &exception) {
        return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", -1, nullptr, "SentencePiece: %s",
                         exception.what());
    } catch (...) {
        return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", -1, nullptr, "SentencePiece failed");
    }
}

inline attn_status fail_with(attn_error *error, attn_status status, const char *hint,
                             const sentencepiece::util::Status &cause) {
    return attn_fail(error, status, "tokenizer", -1, hint, "SentencePiece: %s",
                     cause.error_message());
}

/* ---- elisions: with which words the tokenizer parts ---- */

/* The field of the model that holds the list: the first of those that SentencePiece leaves to
 * others. */
constexpr unsigned ELISIONS_FIELD = 200;

inline std::string split(const std::string &elisions, const char *text, size_t length) {
    std::string out(2 * length, '\0');
    out.resize(attn_elisions_split(elisions.c_str(), text, length, &out[0]));
    return out;
}

inline void append_varint(uint64_t value, std::string *bytes) {
    for (; value >= 0x80; value >>= 7) {
        bytes->push_back(static_cast<char>((value & 0x7F) | 0x80));
    }
    bytes->push_back(static_cast<char>(value));
}

inline void append_field(unsigned number, const std::string &value, std::string *bytes) {
    append_varint(number << 3 | 2, bytes);
    append_varint(value.size(), bytes);
    bytes->append(value);
}

} // namespace attn_tokenizing

#endif
