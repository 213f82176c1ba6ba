/*
 * The JSON parser and string writer of the hot path.
 *
 * The parser is a loop over one stack of slots, without recursion. A slot is a finished value or an open
 * container; the children of the open container lie above it. When a container closes, its children are
 * copied into an array of the arena and leave the stack: so arrays have their exact size and the arena holds
 * nothing else but decoded strings. The stack starts on the C stack, and grows on the heap up to the arena's
 * own maximum.
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

#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/utf8.h"

#include <stdlib.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SLOTS_INLINE     64
#define NAMES_LINEAR     64 /* names of one object that are compared one by one */
#define NO_PARENT        SIZE_MAX
#define EVERY_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* ---- scanning ---- */

/*
 * The length of the run at `s` that needs no look: no quote, no backslash, no control character. `*high`
 * collects whether a byte of it is over 0x7f.
 */
static inline size_t plain_run(const char *s, size_t len, unsigned *high)
{
    size_t i = 0;
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);
    for (; len - i >= 16; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(s + i));
        __m128i stops = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
        stops = _mm_or_si128(stops, _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
        unsigned stop_mask = (unsigned)_mm_movemask_epi8(stops);
        unsigned high_mask = (unsigned)_mm_movemask_epi8(bytes);
        if (stop_mask) {
            unsigned before = (unsigned)__builtin_ctz(stop_mask);
            *high |= high_mask & ((1u << before) - 1);
            return i + before;
        }
        *high |= high_mask;
    }
#endif
    for (; len - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, s + i, 8);
        uint64_t quotes = word ^ EVERY_BYTE('"');
        uint64_t backslashes = word ^ EVERY_BYTE('\\');
        /* Per byte, x - 1 & ~x has its top bit set for x = 0; and x - 0x20 & ~x for x < 0x20. */
        uint64_t stops = ((quotes - EVERY_BYTE(1)) & ~quotes) |
                         ((backslashes - EVERY_BYTE(1)) & ~backslashes) | ((word - EVERY_BYTE(0x20)) & ~word);
        if (stops & EVERY_BYTE(0x80))
            break;
        *high |= (word & EVERY_BYTE(0x80)) != 0;
    }
    for (; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\' || c < 0x20)
            break;
        *high |= c & 0x80;
    }
    return i;
}

/* ---- the parser ---- */

struct slot {
    struct oms_field field; /* of an open container, `count` is the slot of its parent */
    const char *at;         /* where the name stands in the text, or the value when it has none */
    uint64_t seen;          /* of an open object: the set of its names' small hashes */
};

struct parser {
    const char *at;
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
    const char *fault;   /* where */
    struct oms_str name; /* of the value that comes next, in an object */
    const char *name_at;
    struct slot inline_slots[SLOTS_INLINE];
};

enum step { STEP_VALUE, STEP_NAME, STEP_AFTER, STEP_DONE };

static enum step fail(struct parser *p, enum oms_status status, const char *at, const char *message)
{
    p->status = status;
    p->fault = at;
    p->message = message;
    return STEP_DONE;
}

static enum step fail_memory(struct parser *p)
{
    return fail(p, OMS_LIMIT, p->at, "the text needs more memory than a request may have");
}

static inline void skip_space(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t'))
        p->at++;
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

/* A slot for the value that starts at p->at; NULL when there may be no more. */
static inline struct slot *slot_push(struct parser *p, enum oms_value_kind kind)
{
    if (p->slot_count == p->slot_cap && !slots_grow(p))
        return NULL;
    struct slot *slot = &p->slots[p->slot_count++];
    slot->field.name = p->name;
    slot->at = p->name_at;
    slot->field.value.kind = kind;
    return slot;
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
        fail_memory(p);
        return false;
    }
    while (at < end) {
        unsigned high = 0;
        size_t run = plain_run(at, (size_t)(end - at), &high);
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

/* Reads the string whose opening quote is at p->at. */
static inline bool parse_string(struct parser *p, struct oms_str *out)
{
    const char *start = p->at + 1;
    const char *at = start;
    unsigned high = 0;
    bool escapes = false;
    for (;;) {
        at += plain_run(at, (size_t)(p->end - at), &high);
        if (at == p->end) {
            fail(p, OMS_INVALID, p->at, "unterminated string");
            return false;
        }
        if (*at == '"')
            break;
        if (*at != '\\') {
            fail(p, OMS_INVALID, at, "control character in a string: it must be escaped");
            return false;
        }
        escapes = true;
        /* The escaped byte is stepped over as well: it may be a quote. A byte that may not follow is found
         * later. */
        if (p->end - at < 2 || (unsigned char)at[1] < 0x20 || (unsigned char)at[1] > 0x7f) {
            fail(p, OMS_INVALID, at, "unknown escape in a string");
            return false;
        }
        at += 2;
    }
    struct oms_str raw = {start, (size_t)(at - start)};
    if (__builtin_expect(high != 0, 0)) {
        size_t valid = oms_utf8_valid_prefix(raw);
        if (valid != raw.len) {
            fail(p, OMS_INVALID, start + valid, "invalid UTF-8");
            return false;
        }
    }
    p->at = at + 1;
    *out = raw;
    return !escapes || decode_escapes(p, raw, out);
}

/* ---- numbers and words ---- */

static inline const char *skip_digits(const char *at, const char *end)
{
    while (at < end && (unsigned char)(*at - '0') <= 9)
        at++;
    return at;
}

/* The end of the number at p->at by the grammar of RFC 8259 section 6, or NULL. */
static const char *number_end(struct parser *p)
{
    const char *at = p->at + (*p->at == '-');
    const char *digits = at;
    at = skip_digits(at, p->end);
    if (at == digits || (*digits == '0' && at - digits > 1))
        return NULL;
    if (at < p->end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, p->end);
        if (at == digits)
            return NULL;
    }
    if (at < p->end && (*at | 0x20) == 'e') {
        at++;
        if (at < p->end && (*at == '+' || *at == '-'))
            at++;
        digits = at;
        at = skip_digits(at, p->end);
        if (at == digits)
            return NULL;
    }
    return at;
}

static enum step parse_number(struct parser *p)
{
    const char *end = number_end(p);
    if (!end)
        return fail(p, OMS_INVALID, p->at, "malformed number");
    struct slot *slot = slot_push(p, OMS_VALUE_NUMBER);
    if (!slot)
        return fail_memory(p);
    slot->field.value.text = oms_str_make(p->at, (size_t)(end - p->at));
    p->at = end;
    return STEP_AFTER;
}

static enum step parse_word(struct parser *p)
{
    struct oms_str rest = {p->at, (size_t)(p->end - p->at)};
    struct oms_value value = {.kind = OMS_VALUE_BOOL};
    size_t len = 4;
    if (oms_str_starts(rest, OMS_STR("true"))) {
        value.boolean = true;
    } else if (oms_str_starts(rest, OMS_STR("false"))) {
        len = 5;
    } else if (oms_str_starts(rest, OMS_STR("null"))) {
        value.kind = OMS_VALUE_NULL;
    } else {
        return fail(p, OMS_INVALID, p->at, "expected a value");
    }
    struct slot *slot = slot_push(p, value.kind);
    if (!slot)
        return fail_memory(p);
    slot->field.value = value;
    p->at += len;
    return STEP_AFTER;
}

/* ---- containers ---- */

/* Opens the list or object whose bracket is at p->at. */
static enum step container_open(struct parser *p, enum oms_value_kind kind)
{
    if (p->depth == p->depth_max)
        return fail(p, OMS_LIMIT, p->at, "nested too deeply");
    struct slot *slot = slot_push(p, kind);
    if (!slot)
        return fail_memory(p);
    slot->field.value.list.items = NULL;
    slot->field.value.list.count = p->open;
    slot->seen = 0;
    p->open = p->slot_count - 1;
    p->depth++;
    p->at++;
    p->name = OMS_STR_NONE;
    skip_space(p);
    if (p->at < p->end && *p->at == (kind == OMS_VALUE_OBJECT ? '}' : ']'))
        return STEP_AFTER;
    return kind == OMS_VALUE_OBJECT ? STEP_NAME : STEP_VALUE;
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

/* Closes the innermost container, whose closing bracket is at p->at. */
static enum step container_close(struct parser *p)
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
            return fail_memory(p);
    }
    p->slot_count = p->open + 1;
    p->open = parent;
    p->depth--;
    p->at++;
    return STEP_AFTER;
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

/* Whether the open object, while it is small, has the name already. */
static inline bool name_repeats(struct parser *p, struct oms_str name)
{
    struct slot *object = &p->slots[p->open];
    uint64_t bit = UINT64_C(1) << name_hash(name);
    bool perhaps = object->seen & bit;
    object->seen |= bit;
    if (__builtin_expect(!perhaps, 1) || p->slot_count - p->open > NAMES_LINEAR)
        return false;
    for (size_t i = p->open + 1; i < p->slot_count; i++)
        if (oms_str_eq(p->slots[i].field.name, name))
            return true;
    return false;
}

static enum step parse_name(struct parser *p)
{
    skip_space(p);
    if (p->at == p->end || *p->at != '"')
        return fail(p, OMS_INVALID, p->at, "expected a name in double quotes");
    p->name_at = p->at;
    if (!parse_string(p, &p->name))
        return STEP_DONE;
    if (name_repeats(p, p->name))
        return fail(p, OMS_INVALID, p->name_at, "duplicate name in an object");
    skip_space(p);
    if (p->at == p->end || *p->at != ':')
        return fail(p, OMS_INVALID, p->at, "expected ':'");
    p->at++;
    return STEP_VALUE;
}

static inline enum step parse_value(struct parser *p)
{
    skip_space(p);
    if (p->at == p->end)
        return fail(p, OMS_INVALID, p->at, "expected a value");
    switch (*p->at) {
    case '"': {
        struct slot *slot = slot_push(p, OMS_VALUE_STRING);
        if (!slot)
            return fail_memory(p);
        return parse_string(p, &slot->field.value.text) ? STEP_AFTER : STEP_DONE;
    }
    case '{':
        return container_open(p, OMS_VALUE_OBJECT);
    case '[':
        return container_open(p, OMS_VALUE_LIST);
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
        return parse_number(p);
    default:
        return parse_word(p);
    }
}

/* Behind a value, or at the bracket that closes an empty container. */
static inline enum step parse_after(struct parser *p)
{
    skip_space(p);
    if (p->open == NO_PARENT)
        return p->at == p->end ? STEP_DONE : fail(p, OMS_INVALID, p->at, "unexpected text after the value");
    bool is_object = p->slots[p->open].field.value.kind == OMS_VALUE_OBJECT;
    if (p->at < p->end) {
        if (*p->at == ',') {
            p->at++;
            return is_object ? STEP_NAME : STEP_VALUE;
        }
        if (*p->at == (is_object ? '}' : ']'))
            return container_close(p);
    }
    return fail(p, OMS_INVALID, p->at, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
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
    struct parser p;
    p.at = text.data;
    p.end = text.len ? text.data + text.len : text.data;
    p.arena = arena;
    p.slots = p.inline_slots;
    p.slot_count = 0;
    p.slot_cap = SLOTS_INLINE;
    p.open = NO_PARENT;
    p.depth = 0;
    p.depth_max = depth_max;
    p.status = OMS_OK;
    p.name = OMS_STR_NONE;
    p.name_at = NULL;
    enum step step = STEP_VALUE;
    if (oms_str_starts(text, OMS_STR("\xef\xbb\xbf")))
        step = fail(&p, OMS_INVALID, p.at, "a byte order mark is not allowed");
    while (step != STEP_DONE) {
        switch (step) {
        case STEP_VALUE:
            step = parse_value(&p);
            break;
        case STEP_NAME:
            step = parse_name(&p);
            break;
        case STEP_AFTER:
            step = parse_after(&p);
            break;
        case STEP_DONE:
            break;
        }
    }
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

void oms_json_write_string(struct oms_buf *out, struct oms_str s)
{
    unsigned high = 0;
    if (s.len > SIZE_MAX - 2 || !oms_buf_reserve(out, s.len + 2)) {
        out->overflow = true;
        return;
    }
    out->data[out->len++] = '"';
    while (s.len) {
        size_t run = plain_run(s.data, s.len, &high);
        oms_buf_append(out, s.data, run);
        if (run == s.len)
            break;
        write_escape(out, (unsigned char)s.data[run]);
        s.data += run + 1;
        s.len -= run + 1;
    }
    oms_buf_append_char(out, '"');
}
