/*
 * Regular expressions that tenants write, run with limits: SKUs that never come back, and `when` conditions.
 *
 * PCRE2's syntax, UTF-8, unanchored. A pattern is compiled into an arena when its workflow is built and lives
 * as long as that; nothing has to be freed. Matching counts its steps: an expression that backtracks without
 * end gives PATTERN_LIMIT instead of keeping a shard. No JIT: its memory would not be the arena's.
 */
#ifndef PATTERN_H
#define PATTERN_H

#include <stdbool.h>

#include "runtime/base/arena.h"
#include "runtime/base/str.h"

struct pattern;

/*
 * Compiles `text`. NULL with a sentence and the offset in `text` (bytes) when it is no pattern, or too large.
 * The result is immutable, but its matching is for one thread at a time with each runner.
 */
const struct pattern *pattern_compile(struct oms_str text, struct oms_arena *arena, char message[128],
                                      size_t *offset);

/* What matching needs, made on its first use in the arena, for many matches. Zero it to begin. */
struct pattern_runner {
    struct oms_arena *arena;
    void *context, *data;
};

enum pattern_answer {
    PATTERN_NO = 0,
    PATTERN_YES,
    PATTERN_LIMIT /* it took more steps or memory than is allowed */
};

/* Whether the pattern matches anywhere in `subject`, which is valid UTF-8. */
enum pattern_answer pattern_match(struct pattern_runner *runner, const struct pattern *pattern,
                                  struct oms_str subject);

#endif
