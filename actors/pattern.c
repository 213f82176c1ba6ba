/*
 * PCRE2 with an arena for its memory; see pattern.h. The only file that knows the library.
 *
 * Limits (pcre2api(3), "The match context"): steps of one match, nesting of backtracking points, and heap. A
 * reader of the arena's allocations will find 20 KB per runner: PCRE2's first block of frames.
 */
#include "actors/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>

#include "runtime/base/limits.h"

#define PARENTHESES_MAX 32

static void *take(PCRE2_SIZE size, void *arena)
{
    return oms_arena_alloc(arena, size);
}

static void give_nothing(void *memory, void *arena)
{
    (void)memory;
    (void)arena;
}

const struct pattern *pattern_compile(struct oms_str text, struct oms_arena *arena, char message[128],
                                      size_t *offset)
{
    pcre2_general_context *memory = pcre2_general_context_create(take, give_nothing, arena);
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    PCRE2_SIZE at = 0;
    pcre2_code *code;
    int number = 0;

    *offset = 0;
    snprintf(message, 128, "there is no memory for it");
    if (!context)
        return NULL;
    pcre2_set_parens_nest_limit(context, PARENTHESES_MAX);
    pcre2_set_max_pattern_length(context, OMS_PATTERN_BYTES_MAX);
    code = pcre2_compile((PCRE2_SPTR)text.data, text.len,
                         PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP | PCRE2_NO_AUTO_CAPTURE,
                         &number, &at, context);
    if (code)
        return (const struct pattern *)code;
    if (pcre2_get_error_message(number, (PCRE2_UCHAR *)message, 128) < 0)
        snprintf(message, 128, "it is no regular expression");
    *offset = at;
    return NULL;
}

/* The limits, and room for the place of the match alone. */
static bool runner_ready(struct pattern_runner *runner)
{
    pcre2_general_context *memory;

    if (runner->data)
        return true;
    memory = pcre2_general_context_create(take, give_nothing, runner->arena);
    runner->context = memory ? pcre2_match_context_create(memory) : NULL;
    if (!runner->context)
        return false;
    pcre2_set_match_limit(runner->context, OMS_PATTERN_STEPS_MAX);
    pcre2_set_depth_limit(runner->context, OMS_PATTERN_STEPS_MAX);
    pcre2_set_heap_limit(runner->context, OMS_PATTERN_HEAP_KIB);
    runner->data = pcre2_match_data_create(1, memory);
    return runner->data != NULL;
}

enum pattern_answer pattern_match(struct pattern_runner *runner, const struct pattern *pattern,
                                  struct oms_str subject)
{
    int answer;

    if (!runner_ready(runner))
        return PATTERN_LIMIT;
    answer = pcre2_match((const pcre2_code *)pattern, (PCRE2_SPTR)subject.data, subject.len, 0, 0,
                         runner->data, runner->context);
    if (answer >= 0)
        return PATTERN_YES;
    return answer == PCRE2_ERROR_NOMATCH ? PATTERN_NO : PATTERN_LIMIT;
}
