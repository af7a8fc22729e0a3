// examples/translate.cpp: the same from C++: translates its arguments, all in one batch.
//
//     c++ translate.cpp -o translate $(pkg-config --cflags --libs attn-pipeline)
//     ./translate en-fr.safetensors "How are you?" "Where is the station?"
#include <attn/translate.h>

#include <cstdio>
#include <memory>

int main(int argc, char **argv) {
    attn_error error = {};
    attn_model *opened = nullptr;
    attn_translation *made = nullptr;
    if (argc < 2 || attn_model_open(argv[1], nullptr, &opened, &error) != ATTN_OK) {
        std::fprintf(stderr, "translate: %s\n", argc < 2 ? "name a model" : error.what);
        return 1;
    }
    std::unique_ptr<attn_model, void (*)(attn_model *)> model(opened, attn_model_close);
    const auto texts = static_cast<std::size_t>(argc - 2);
    if (attn_translate_texts(model.get(), argv + 2, texts, nullptr, &made, &error) != ATTN_OK) {
        std::fprintf(stderr, "translate: %s\n", error.what);
        return 1;
    }
    std::unique_ptr<attn_translation, void (*)(attn_translation *)> translation(
        made, attn_translation_free);
    for (std::size_t i = 0; i < texts; i++) {
        char *text = nullptr;
        if (attn_translation_text(translation.get(), i, 0, &text, &error) == ATTN_OK) {
            std::printf("%s (score %.3f)\n", text, attn_translation_score(translation.get(), i, 0));
            attn_translate_free(text);
        }
    }
    return 0;
}
