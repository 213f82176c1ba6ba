/*
 * Borrowed text: comparing, trimming, copying, numbers, and the nearest word for "did you mean".
 *
 * Nothing here depends on the process's locale: the same bytes mean the same on every machine.
 */
#include "runtime/base/str.h"

#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"

/* Words longer than this are not worth a suggestion; it bounds the table of distances. */
#define NEAREST_LEN_MAX 64

static unsigned char ascii_lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

bool oms_str_eq_nocase(struct oms_str a, struct oms_str b)
{
    if (a.len != b.len)
        return false;
    if (a.len == 0 || memcmp(a.data, b.data, a.len) == 0)
        return true; /* nearly always, and cheaper than looking at every letter */
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower((unsigned char)a.data[i]) != ascii_lower((unsigned char)b.data[i]))
            return false;
    return true;
}

int oms_str_compare(struct oms_str a, struct oms_str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct oms_str oms_str_trim(struct oms_str s)
{
    while (s.len && is_space(s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

static char *copy_to(char *out, struct oms_str s)
{
    if (s.len)
        memcpy(out, s.data, s.len);
    out[s.len] = '\0';
    return out;
}

struct oms_str oms_str_copy(struct oms_arena *arena, struct oms_str s)
{
    char *out = s.data ? oms_arena_alloc(arena, s.len + 1) : NULL;
    return out ? oms_str_make(copy_to(out, s), s.len) : OMS_STR_NONE;
}

char *oms_str_dup(struct oms_str s)
{
    return copy_to(oms_malloc(s.len + 1), s);
}

enum oms_status oms_str_to_i64(struct oms_str s, int64_t *out)
{
    bool negative = s.len && s.data[0] == '-';
    size_t i = negative;
    int64_t value = 0;
    bool overflow = false;
    if (i == s.len)
        return OMS_INVALID;
    for (; i < s.len; i++) {
        unsigned digit = (unsigned char)s.data[i] - (unsigned)'0';
        if (digit > 9)
            return OMS_INVALID;
        /* Counted downwards, since the negative range is the larger one. */
        overflow |= __builtin_mul_overflow(value, (int64_t)10, &value);
        overflow |= __builtin_sub_overflow(value, (int64_t)digit, &value);
    }
    if (!negative)
        overflow |= __builtin_sub_overflow((int64_t)0, value, &value);
    if (overflow)
        return OMS_LIMIT;
    *out = value;
    return OMS_OK;
}

/* Levenshtein's distance, one row of the table at a time. Both are at most NEAREST_LEN_MAX long. */
static size_t edit_distance(struct oms_str a, struct oms_str b)
{
    size_t row[NEAREST_LEN_MAX + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = diagonal + (a.data[i - 1] != b.data[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.len];
}

const char *oms_str_nearest(struct oms_str word, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    size_t nearest_distance = 0;
    if (word.len == 0 || word.len > NEAREST_LEN_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct oms_str candidate = oms_str_of(candidates[i]);
        if (candidate.len > NEAREST_LEN_MAX)
            continue;
        size_t distance = edit_distance(word, candidate);
        /* A distance of the whole word means that nothing of it is left: "ab" is not near "id". */
        bool near = (distance <= 2 || distance <= word.len / 3) && distance < word.len;
        if (near && (!nearest || distance < nearest_distance)) {
            nearest = candidates[i];
            nearest_distance = distance;
        }
    }
    return nearest;
}
