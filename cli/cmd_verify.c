/* cli/cmd_verify.c: `attn verify MODEL...`: whether model files hold what was written. */
#include <stdio.h>

#include "command.h"
#include "model.h"
#include "models/model_file.h"

static int verify_run(const void *given, int operand_count, char **operand) {
    (void)given;
    int result = ATTN_EXIT_OK;
    for (int i = 0; i < operand_count; i++) {
        attn_error error;
        attn_status status = attn_model_check_own(operand[i], &error);
        status = status == ATTN_OK ? attn_model_file_verify(operand[i], &error) : status;
        if (status == ATTN_OK) {
            printf("%s: ok\n", operand[i]);
        } else {
            result = attn_say_error(&error);
        }
    }
    return result;
}

const attn_command attn_cmd_verify = {
    .name = "verify",
    .summary = "Tell whether model files are undamaged",
    .usage = "MODEL...",
    .description = "Compares the hash that attn stores in a model (metadata attn.hash) with what "
                   "the file holds: weights, tokenizer "
                   "and metadata. A download or a disk that changed a bit is found. The hash is no "
                   "signature: it does not show who "
                   "made the file.\n"
                   "Prints a line for each model that is whole. The status is 1 when one is "
                   "damaged, or has no hash because another "
                   "program or an earlier attn made it.",
    .min_operands = 1,
    .max_operands = 1 << 20,
    .run = verify_run,
};
