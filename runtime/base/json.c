/*
 * The JSON parser and string writer of the hot path.
 *
 * The parser is a loop over one stack of slots, without recursion. A slot is a finished value or an open
 * container; the children of the open container lie above it. When a container closes, its children are
 * copied into an array of the arena and leave the stack: so arrays have their exact size and the arena holds
 * nothing else but decoded strings. The stack starts on the C stack, and grows on the heap up to the arena's
 * own maximum.
 *
 * The place in the text is passed and returned, not kept in the parser: it must live in a register, since
 * every byte depends on it. A function that fails returns NULL and has filled the fault.
 *
 * Strings are scanned 16 bytes at a time with SSE2, else 8; a string without escapes is borrowed, and only
 * one with a byte over 0x7f is validated as UTF-8.
 *
 * Duplicate names: an open object keeps a 64-bit set of its names' small hashes, so that most names are known
 * to be new at once; a hit is compared with the earlier names one by one, as long as these are few. A larger
 * object is sorted by name when it closes: n log n whatever names a stranger picks, and no hash key to keep
 * secret.
 */
#include "runtime/base/json.h"

#include <stdlib.h>

#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json_scan.h"
#include "runtime/base/utf8.h"

#define SLOTS_INLINE 64
#define NAMES_LINEAR 64 /* names of one object that are compared one by one */
#define NO_PARENT    SIZE_MAX

/* ---- the parser ---- */

struct slot {
    struct oms_field field; /* of an open container, `count` is the slot of its parent */
    const char *at;         /* where the name stands in the text; unset in a list */
    uint64_t seen;          /* of an open object: the set of its names' small hashes */
};

struct parser {
    const char *end;
    struct oms_arena *arena;
    struct slot *slots;
    size_t slot_count;
    size_t slot_cap;
    size_t open; /* the slot of the innermost open container, or NO_PARENT */
    unsigned depth;
    unsigned depth_max;
    enum oms_status status;
    const char *message;
    const char *fault; /* where */
    struct slot inline_slots[SLOTS_INLINE];
};

/* What comes next: a value, a name and its value, or what stands behind a value. */
enum step { STEP_VALUE, STEP_NAME, STEP_AFTER, STEP_DONE };

static __attribute__((noinline)) const char *fail(struct parser *p, enum oms_status status, const char *at,
                                                  const char *message)
{
    p->status = status;
    p->fault = at;
    p->message = message;
    return NULL;
}

static const char *fail_memory(struct parser *p, const char *at)
{
    return fail(p, OMS_LIMIT, at, "the text needs more memory than a request may have");
}

static inline const char *skip_space(const char *at, const char *end)
{
    while (at < end && (unsigned char)*at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

static __attribute__((noinline)) bool slots_grow(struct parser *p)
{
    size_t cap = p->slot_cap * 2;
    if (cap * sizeof(*p->slots) > p->arena->max)
        return false;
    if (p->slots == p->inline_slots) {
        p->slots = oms_reallocarray(NULL, cap, sizeof(*p->slots));
        memcpy(p->slots, p->inline_slots, sizeof(p->inline_slots));
    } else {
        p->slots = oms_reallocarray(p->slots, cap, sizeof(*p->slots));
    }
    p->slot_cap = cap;
    return true;
}

/* A slot for the next value; NULL when there may be no more. It moves with the next push. */
static inline struct slot *slot_push(struct parser *p)
{
    if (__builtin_expect(p->slot_count == p->slot_cap, 0) && !slots_grow(p))
        return NULL;
    return &p->slots[p->slot_count++];
}

/* ---- strings ---- */

static int hex4(const char *at)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        char letter = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            value = value << 4 | (c - '0');
        else if (letter >= 'a' && letter <= 'f')
            value = value << 4 | (letter - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* Reads the 4 digits behind "\u", and a low surrogate's escape behind a high one. Returns the bytes read, or
 * 0. */
static size_t read_unicode_escape(const char *at, size_t len, uint32_t *code_point)
{
    int unit = len >= 4 ? hex4(at) : -1;
    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return 0;
    *code_point = (uint32_t)unit;
    if (unit < 0xd800 || unit > 0xdbff)
        return 4;
    int low = len >= 10 && at[4] == '\\' && at[5] == 'u' ? hex4(at + 6) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *code_point = 0x10000 + (((uint32_t)unit & 0x3ff) << 10 | ((uint32_t)low & 0x3ff));
    return 10;
}

static char simple_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return '\0';
    }
}

/* Decodes `raw`, whose escapes are looked at for the first time here, into the arena. It never gets longer.
 */
static bool decode_escapes(struct parser *p, struct oms_str raw, struct oms_str *out)
{
    const char *at = raw.data;
    const char *end = raw.data + raw.len;
    char *text = oms_arena_alloc(p->arena, raw.len);
    size_t len = 0;
    if (!text) {
        fail_memory(p, at);
        return false;
    }
    while (at < end) {
        unsigned high = 0;
        size_t run = oms_json_plain_run(at, (size_t)(end - at), &high);
        memcpy(text + len, at, run);
        len += run;
        at += run;
        if (at == end)
            break;
        /* A backslash, and the scan made sure that a byte follows it. */
        if (at[1] == 'u') {
            uint32_t code_point;
            size_t read = read_unicode_escape(at + 2, (size_t)(end - at) - 2, &code_point);
            if (!read) {
                fail(p, OMS_INVALID, at, "invalid \\u escape: four hexadecimal digits, surrogates in pairs");
                return false;
            }
            len += oms_utf8_encode(code_point, text + len);
            at += 2 + read;
            continue;
        }
        char c = simple_escape(at[1]);
        if (!c) {
            fail(p, OMS_INVALID, at, "unknown escape in a string");
            return false;
        }
        text[len++] = c;
        at += 2;
    }
    *out = oms_str_make(text, len);
    return true;
}

/* Reads the string whose first byte is at `start`, behind the opening quote. Returns the place behind the
 * closing one. */
static __attribute__((noinline)) const char *parse_any_string(struct parser *p, const char *start,
                                                              struct oms_str *out)
{
    const char *at = start;
    unsigned high = 0;
    bool escapes = false;
    for (;;) {
        at += oms_json_plain_run(at, (size_t)(p->end - at), &high);
        if (at == p->end)
            return fail(p, OMS_INVALID, start - 1, "unterminated string");
        if (*at == '"')
            break;
        if (*at != '\\')
            return fail(p, OMS_INVALID, at, "control character in a string: it must be escaped");
        escapes = true;
        /* The escaped byte is stepped over as well: it may be a quote. Which one it is comes with decoding.
         */
        if (p->end - at < 2 || (unsigned char)at[1] < 0x20 || (unsigned char)at[1] > 0x7f)
            return fail(p, OMS_INVALID, at, "unknown escape in a string");
        at += 2;
    }
    struct oms_str raw = {start, (size_t)(at - start)};
    if (high) {
        size_t valid = oms_utf8_valid_prefix(raw);
        if (valid != raw.len)
            return fail(p, OMS_INVALID, start + valid, "invalid UTF-8");
    }
    *out = raw;
    if (escapes && !decode_escapes(p, raw, out))
        return NULL;
    return at + 1;
}

/* Most strings end within 16 bytes and are plain ASCII: these take one look. */
static inline const char *parse_string(struct parser *p, const char *start, struct oms_str *out)
{
#ifdef __SSE2__
    if (__builtin_expect(p->end - start >= 16, 1)) {
        __m128i bytes = oms_json_load16(start);
        unsigned stop_mask = (unsigned)_mm_movemask_epi8(oms_json_vector_stops(bytes));
        unsigned high_mask = (unsigned)_mm_movemask_epi8(bytes);
        unsigned lowest = stop_mask & -stop_mask;
        if (stop_mask && !(high_mask & (lowest - 1))) {
            unsigned len = (unsigned)__builtin_ctz(stop_mask);
            if (start[len] == '"') {
                *out = (struct oms_str){start, len};
                return start + len + 1;
            }
        }
    }
#endif
    return parse_any_string(p, start, out);
}

/* ---- numbers and words ---- */

static inline const char *skip_digits(const char *at, const char *end)
{
    while (at < end && (unsigned char)(*at - '0') <= 9)
        at++;
    return at;
}

/* The end of the number at `at` by the grammar of RFC 8259 section 6, or NULL. */
static const char *number_end(const char *at, const char *end)
{
    at += *at == '-';
    const char *digits = at;
    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at - digits > 1))
        return NULL;
    if (at < end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, end);
        if (at == digits)
            return NULL;
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        digits = at;
        at = skip_digits(at, end);
        if (at == digits)
            return NULL;
    }
    return at;
}

static const char *parse_number(struct parser *p, const char *at, struct oms_value *out)
{
    const char *end = number_end(at, p->end);
    if (!end)
        return fail(p, OMS_INVALID, at, "malformed number");
    out->kind = OMS_VALUE_NUMBER;
    out->text = oms_str_make(at, (size_t)(end - at));
    return end;
}

static const char *parse_word(struct parser *p, const char *at, struct oms_value *out)
{
    struct oms_str rest = {at, (size_t)(p->end - at)};
    out->kind = OMS_VALUE_BOOL;
    if (oms_str_starts(rest, OMS_STR("true"))) {
        out->boolean = true;
        return at + 4;
    }
    if (oms_str_starts(rest, OMS_STR("false"))) {
        out->boolean = false;
        return at + 5;
    }
    if (oms_str_starts(rest, OMS_STR("null"))) {
        out->kind = OMS_VALUE_NULL;
        return at + 4;
    }
    return fail(p, OMS_INVALID, at, "expected a value");
}

/* ---- containers ---- */

/* Makes the newest slot the list or object whose bracket is at `at`. */
static const char *container_open(struct parser *p, const char *at, enum oms_value_kind kind, enum step *next)
{
    struct slot *slot = &p->slots[p->slot_count - 1];
    if (p->depth == p->depth_max)
        return fail(p, OMS_LIMIT, at, "nested too deeply");
    slot->field.value.kind = kind;
    slot->field.value.list.items = NULL;
    slot->field.value.list.count = p->open;
    slot->seen = 0;
    p->open = p->slot_count - 1;
    p->depth++;
    at = skip_space(at + 1, p->end);
    bool is_object = kind == OMS_VALUE_OBJECT;
    bool is_empty = at < p->end && *at == (is_object ? '}' : ']');
    *next = is_empty ? STEP_AFTER : is_object ? STEP_NAME : STEP_VALUE;
    return at;
}

static int compare_names(const void *a, const void *b)
{
    const struct slot *x = *(const struct slot *const *)a;
    const struct slot *y = *(const struct slot *const *)b;
    if (x->field.name.len != y->field.name.len)
        return x->field.name.len < y->field.name.len ? -1 : 1;
    int order = x->field.name.len ? memcmp(x->field.name.data, y->field.name.data, x->field.name.len) : 0;
    /* Among equal names the text's order, so that the one to blame is always the second. */
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* The first repeated name of a large object, or NULL. */
static const char *find_duplicate(const struct slot *slots, size_t count)
{
    const struct slot **sorted = oms_reallocarray(NULL, count, sizeof(*sorted));
    const char *duplicate = NULL;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &slots[i];
    qsort(sorted, count, sizeof(*sorted), compare_names);
    for (size_t i = 1; i < count; i++)
        if (oms_str_eq(sorted[i - 1]->field.name, sorted[i]->field.name) &&
            (!duplicate || sorted[i]->at < duplicate))
            duplicate = sorted[i]->at;
    oms_free(sorted);
    return duplicate;
}

static bool object_close(struct parser *p, struct oms_value *value, const struct slot *children, size_t count)
{
    struct oms_field *fields = oms_arena_alloc(p->arena, count * sizeof(*fields));
    if (!fields)
        return false;
    for (size_t i = 0; i < count; i++)
        fields[i] = children[i].field;
    value->object.fields = fields;
    value->object.count = count;
    return true;
}

static bool list_close(struct parser *p, struct oms_value *value, const struct slot *children, size_t count)
{
    struct oms_value *items = oms_arena_alloc(p->arena, count * sizeof(*items));
    if (!items)
        return false;
    for (size_t i = 0; i < count; i++)
        items[i] = children[i].field.value;
    value->list.items = items;
    value->list.count = count;
    return true;
}

/* Closes the innermost container, whose closing bracket is at `at`. */
static const char *container_close(struct parser *p, const char *at)
{
    struct slot *slot = &p->slots[p->open];
    const struct slot *children = slot + 1;
    size_t count = p->slot_count - p->open - 1;
    struct oms_value *value = &slot->field.value;
    size_t parent = value->list.count;
    value->list.count = 0;
    if (value->kind == OMS_VALUE_OBJECT && count > NAMES_LINEAR) {
        const char *duplicate = find_duplicate(children, count);
        if (duplicate)
            return fail(p, OMS_INVALID, duplicate, "duplicate name in an object");
    }
    if (count) {
        bool made = value->kind == OMS_VALUE_OBJECT ? object_close(p, value, children, count)
                                                    : list_close(p, value, children, count);
        if (!made)
            return fail_memory(p, at);
    }
    p->slot_count = p->open + 1;
    p->open = parent;
    p->depth--;
    return at + 1;
}

static inline unsigned name_hash(struct oms_str name)
{
    if (name.len == 0)
        return 0;
    unsigned first = (unsigned char)name.data[0];
    unsigned middle = (unsigned char)name.data[name.len / 2];
    unsigned last = (unsigned char)name.data[name.len - 1];
    return (first * 5 + middle * 3 + last + (unsigned)name.len * 7) & 63;
}

/* Whether the open object, while it is small, has the name of its newest slot already. */
static inline bool name_repeats(struct parser *p, struct oms_str name)
{
    struct slot *object = &p->slots[p->open];
    const struct slot *newest = &p->slots[p->slot_count - 1];
    uint64_t bit = UINT64_C(1) << name_hash(name);
    bool perhaps = object->seen & bit;
    object->seen |= bit;
    if (__builtin_expect(!perhaps, 1) || newest - object > NAMES_LINEAR)
        return false;
    for (const struct slot *earlier = object + 1; earlier < newest; earlier++)
        if (oms_str_eq(earlier->field.name, name))
            return true;
    return false;
}

/* Reads a name and its colon into the newest slot. */
static inline const char *parse_name(struct parser *p, const char *at, struct slot *slot)
{
    at = skip_space(at, p->end);
    if (__builtin_expect(at == p->end || *at != '"', 0))
        return fail(p, OMS_INVALID, at, "expected a name in double quotes");
    slot->at = at;
    at = parse_string(p, at + 1, &slot->field.name);
    if (__builtin_expect(!at, 0))
        return NULL;
    if (__builtin_expect(name_repeats(p, slot->field.name), 0))
        return fail(p, OMS_INVALID, slot->at, "duplicate name in an object");
    at = skip_space(at, p->end);
    if (__builtin_expect(at == p->end || *at != ':', 0))
        return fail(p, OMS_INVALID, at, "expected ':'");
    return at + 1;
}

/* Reads a scalar into `out`, the newest slot's value, or opens a container there. */
static inline const char *parse_value(struct parser *p, const char *at, struct oms_value *out,
                                      enum step *next)
{
    at = skip_space(at, p->end);
    if (at == p->end)
        return fail(p, OMS_INVALID, at, "expected a value");
    *next = STEP_AFTER;
    switch (*at) {
    case '"':
        out->kind = OMS_VALUE_STRING;
        return parse_string(p, at + 1, &out->text);
    case '{':
        return container_open(p, at, OMS_VALUE_OBJECT, next);
    case '[':
        return container_open(p, at, OMS_VALUE_LIST, next);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return parse_number(p, at, out);
    default:
        return parse_word(p, at, out);
    }
}

/* Behind a value, or at the bracket that closes an empty container. */
static inline const char *parse_after(struct parser *p, const char *at, enum step *next)
{
    at = skip_space(at, p->end);
    if (p->open == NO_PARENT) {
        *next = STEP_DONE;
        return at == p->end ? at : fail(p, OMS_INVALID, at, "unexpected text after the value");
    }
    bool is_object = p->slots[p->open].field.value.kind == OMS_VALUE_OBJECT;
    if (at < p->end) {
        if (*at == ',') {
            *next = is_object ? STEP_NAME : STEP_VALUE;
            return at + 1;
        }
        *next = STEP_AFTER;
        if (*at == (is_object ? '}' : ']'))
            return container_close(p, at);
    }
    return fail(p, OMS_INVALID, at, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
}

static const char *parse(struct parser *p, const char *at)
{
    enum step next = STEP_VALUE;
    while (next != STEP_DONE) {
        if (next != STEP_AFTER) {
            struct slot *slot = slot_push(p);
            if (!slot)
                return fail_memory(p, at);
            if (next == STEP_NAME && !(at = parse_name(p, at, slot)))
                return NULL;
            at = parse_value(p, at, &slot->field.value, &next);
            if (!at)
                return NULL;
            if (next != STEP_AFTER)
                continue;
        }
        at = parse_after(p, at, &next);
        if (!at)
            return NULL;
    }
    return at;
}

static void locate(struct oms_str text, const struct parser *p, struct oms_json_error *error)
{
    *error = (struct oms_json_error){.line = 1, .column = 1, .message = p->message};
    if (!text.len)
        return;
    error->offset = (size_t)(p->fault - text.data);
    for (size_t i = 0; i < error->offset; i++) {
        error->column++;
        if (text.data[i] == '\n') {
            error->line++;
            error->column = 1;
        }
    }
}

enum oms_status oms_json_parse(struct oms_str text, unsigned depth_max, struct oms_arena *arena,
                               struct oms_value *out, struct oms_json_error *error)
{
    struct parser p; /* not cleared: most of it is slots */
    p.end = text.len ? text.data + text.len : text.data;
    p.arena = arena;
    p.slots = p.inline_slots;
    p.slot_count = 0;
    p.slot_cap = SLOTS_INLINE;
    p.open = NO_PARENT;
    p.depth = 0;
    p.depth_max = depth_max;
    p.status = OMS_OK;
    if (oms_str_starts(text, OMS_STR("\xef\xbb\xbf")))
        fail(&p, OMS_INVALID, text.data, "a byte order mark is not allowed");
    else
        parse(&p, text.data);
    if (p.status == OMS_OK) {
        OMS_ASSERT(p.slot_count == 1 && p.depth == 0);
        *out = p.slots[0].field.value;
    } else if (error) {
        locate(text, &p, error);
    }
    if (p.slots != p.inline_slots)
        oms_free(p.slots);
    return p.status;
}

/* ---- writing ---- */

static void write_escape(struct oms_buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    size_t len = 2;
    switch (c) {
    case '"':
    case '\\':
        text[1] = (char)c;
        break;
    case '\b':
        text[1] = 'b';
        break;
    case '\f':
        text[1] = 'f';
        break;
    case '\n':
        text[1] = 'n';
        break;
    case '\r':
        text[1] = 'r';
        break;
    case '\t':
        text[1] = 't';
        break;
    default:
        len = 6;
    }
    oms_buf_append(out, text, len);
}

/* Copies and looks at the same time; false when a byte needs an escape (then the copy is of no use). */
static inline bool copy_plain(char *to, const char *from, size_t len)
{
#ifdef __SSE2__
    if (len >= 16) {
        __m128i stops = _mm_setzero_si128();
        for (size_t i = 0;; i = i + 32 <= len ? i + 16 : len - 16) {
            __m128i bytes = oms_json_load16(from + i);
            _mm_storeu_si128((__m128i *)(void *)(to + i), bytes);
            stops = _mm_or_si128(stops, oms_json_vector_stops(bytes));
            if (i + 16 == len)
                return _mm_movemask_epi8(stops) == 0;
        }
    }
#endif
    uint64_t stops = 0;
    size_t i = 0;
    for (; len - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, from + i, 8);
        memcpy(to + i, &word, 8);
        stops |= oms_json_word_stops(word);
    }
    for (; i < len; i++) {
        unsigned char c = (unsigned char)from[i];
        to[i] = (char)c;
        stops |= c < 0x20 || c == '"' || c == '\\';
    }
    return stops == 0;
}

static __attribute__((noinline)) void write_escaped(struct oms_buf *out, struct oms_str s)
{
    unsigned high = 0;
    oms_buf_append_char(out, '"');
    while (s.len) {
        size_t run = oms_json_plain_run(s.data, s.len, &high);
        oms_buf_append(out, s.data, run);
        if (run == s.len)
            break;
        write_escape(out, (unsigned char)s.data[run]);
        s.data += run + 1;
        s.len -= run + 1;
    }
    oms_buf_append_char(out, '"');
}

void oms_json_write_string(struct oms_buf *out, struct oms_str s)
{
    if (s.len > SIZE_MAX - 2 || !oms_buf_reserve(out, s.len + 2)) {
        out->overflow = true;
        return;
    }
    char *at = out->data + out->len;
    if (__builtin_expect(!copy_plain(at + 1, s.data, s.len), 0)) {
        write_escaped(out, s);
        return;
    }
    at[0] = '"';
    at[s.len + 1] = '"';
    out->len += s.len + 2;
}
