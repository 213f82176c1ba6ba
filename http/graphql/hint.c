/*
 * Distance by the usual table of edits, three rows of it (the third for neighbours that changed places),
 * given up as soon as a whole row is too far.
 */
#include "http/graphql/hint.h"

#include <stdio.h>

#define GQL_HINTED_ERRORS_MAX 16
#define GQL_HINT_NAMES_MAX    5
#define GQL_HINT_WORD_MAX     100 /* bytes; longer words get no hints, longer names are not hinted at */
#define GQL_TOO_FAR           UINT32_MAX

struct gql_near {
    struct oms_str name;
    uint32_t distance;
};

static char gql_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static uint32_t gql_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* One row of the table, for a[i - 1]; returns its smallest cell. */
static uint32_t gql_distance_row(struct oms_str a, struct oms_str b, size_t i,
                                 uint32_t rows[3][GQL_HINT_WORD_MAX + 1])
{
    const uint32_t *up = rows[(i - 1) % 3];
    uint32_t *row = rows[i % 3], smallest = (uint32_t)i;
    char c = gql_lower(a.data[i - 1]);

    row[0] = (uint32_t)i;
    for (size_t j = 1; j <= b.len; j++) {
        char d = gql_lower(b.data[j - 1]);
        uint32_t cell = gql_min(gql_min(up[j], row[j - 1]) + 1, up[j - 1] + (c != d));
        if (i > 1 && j > 1 && c == gql_lower(b.data[j - 2]) && gql_lower(a.data[i - 2]) == d)
            cell = gql_min(cell, rows[(i - 2) % 3][j - 2] + 1);
        row[j] = cell;
        smallest = gql_min(smallest, cell);
    }
    return smallest;
}

static uint32_t gql_distance(struct oms_str a, struct oms_str b, uint32_t max)
{
    uint32_t rows[3][GQL_HINT_WORD_MAX + 1];

    if (oms_str_eq_nocase(a, b))
        return oms_str_eq(a, b) ? 0 : 1;
    if (a.len < b.len) {
        struct oms_str shorter = a;
        a = b;
        b = shorter;
    }
    if (a.len > GQL_HINT_WORD_MAX || a.len - b.len > max)
        return GQL_TOO_FAR;
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = (uint32_t)j;
    for (size_t i = 1; i <= a.len; i++) {
        if (gql_distance_row(a, b, i, rows) > max)
            return GQL_TOO_FAR;
    }
    return rows[a.len % 3][b.len] <= max ? rows[a.len % 3][b.len] : GQL_TOO_FAR;
}

/* ---- order ---- */

static bool gql_is_decimal(struct oms_str s, size_t at)
{
    return at < s.len && s.data[at] >= '0' && s.data[at] <= '9';
}

/* The number at *at, which moves behind it; behind a leading zero it ends. */
static uint64_t gql_decimal(struct oms_str s, size_t *at)
{
    uint64_t value = 0;

    do
        value = value * 10 + (uint64_t)(s.data[(*at)++] - '0');
    while (gql_is_decimal(s, *at) && value > 0 && value < UINT32_MAX);
    return value;
}

int gql_natural_compare(struct oms_str a, struct oms_str b)
{
    size_t i = 0, j = 0;

    while (i < a.len && j < b.len) {
        uint64_t x = (unsigned char)a.data[i], y = (unsigned char)b.data[j];
        if (gql_is_decimal(a, i) && gql_is_decimal(b, j)) {
            x = gql_decimal(a, &i);
            y = gql_decimal(b, &j);
        } else {
            i++;
            j++;
        }
        if (x != y)
            return x < y ? -1 : 1;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

/* ---- hints ---- */

bool gql_hint_wanted(const struct gql_errors *errors)
{
    return !errors || errors->count < GQL_HINTED_ERRORS_MAX;
}

struct gql_hint gql_hint_of(const char *lead, const struct oms_str *names, size_t count)
{
    struct gql_hint hint = {""};
    int len = 0;

    if (count > GQL_HINT_NAMES_MAX)
        count = GQL_HINT_NAMES_MAX;
    for (size_t i = 0; i < count; i++) {
        const char *separator = i == 0 ? "" : i + 1 < count ? ", " : count == 2 ? " or " : ", or ";
        len += snprintf(hint.text + len, sizeof(hint.text) - (size_t)len, "%s%s%s\"%.*s\"%s",
                        i == 0 ? " Did you mean " : "", i == 0 ? lead : "", separator,
                        (int)(names[i].len < GQL_HINT_WORD_MAX ? names[i].len : GQL_HINT_WORD_MAX),
                        names[i].data, i + 1 == count ? "?" : "");
    }
    return hint;
}

/* Puts `name` where it belongs among the nearest so far. */
static void gql_keep_near(struct gql_near nearest[GQL_HINT_NAMES_MAX], size_t *count, struct gql_near found)
{
    size_t at = *count;

    while (at > 0 && (found.distance < nearest[at - 1].distance ||
                      (found.distance == nearest[at - 1].distance &&
                       gql_natural_compare(found.name, nearest[at - 1].name) < 0)))
        at--;
    if (at == GQL_HINT_NAMES_MAX)
        return;
    if (*count < GQL_HINT_NAMES_MAX)
        ++*count;
    for (size_t i = *count - 1; i > at; i--)
        nearest[i] = nearest[i - 1];
    nearest[at] = found;
}

struct gql_hint gql_did_you_mean(const struct gql_errors *errors, struct oms_str word, size_t count,
                                 struct oms_str (*name_of)(const void *context, size_t i),
                                 const void *context)
{
    struct gql_near nearest[GQL_HINT_NAMES_MAX];
    struct oms_str names[GQL_HINT_NAMES_MAX];
    uint32_t max = (uint32_t)(word.len * 2 / 5 + 1);
    size_t found = 0;

    if (!gql_hint_wanted(errors) || word.len > GQL_HINT_WORD_MAX)
        return (struct gql_hint){""};
    for (size_t i = 0; i < count; i++) {
        struct oms_str name = name_of(context, i);
        uint32_t distance = oms_str_present(name) ? gql_distance(word, name, max) : GQL_TOO_FAR;
        if (distance != GQL_TOO_FAR)
            gql_keep_near(nearest, &found, (struct gql_near){name, distance});
    }
    for (size_t i = 0; i < found; i++)
        names[i] = nearest[i].name;
    return gql_hint_of("", names, found);
}
