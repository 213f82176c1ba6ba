/*
 * One pass over the header: ranges are separated by commas, a range's parameters by semicolons, and both may
 * stand in a quoted text, where they separate nothing. Three types are ours; each remembers the most specific
 * range that fits it. See negotiate.h.
 */
#include "http/api/negotiate.h"

#include <stddef.h>

#include "runtime/base/assert.h"

#define QUALITY_MAX 1000 /* q=1, in thousandths */

/* ---- pieces ---- */

/* Takes the text up to the first `separator` outside of quotes off `rest`; false when nothing is left. */
static bool next_piece(struct oms_str *rest, char separator, struct oms_str *piece)
{
    bool quoted = false;
    size_t i = 0;
    if (!rest->data)
        return false;
    for (; i < rest->len && (quoted || rest->data[i] != separator); i++) {
        if (rest->data[i] == '"')
            quoted = !quoted;
        else if (quoted && rest->data[i] == '\\')
            i++;
    }
    if (i > rest->len)
        i = rest->len;
    *piece = oms_str_trim(oms_str_make(rest->data, i));
    *rest = i < rest->len ? oms_str_make(rest->data + i + 1, rest->len - i - 1) : OMS_STR_NONE;
    return true;
}

/* The value of a parameter called `name`, without its quotes; absent when it is another one. */
static struct oms_str parameter(struct oms_str piece, struct oms_str name)
{
    if (piece.len <= name.len || piece.data[name.len] != '=' ||
        !oms_str_eq_nocase(oms_str_make(piece.data, name.len), name))
        return OMS_STR_NONE;
    struct oms_str value = oms_str_make(piece.data + name.len + 1, piece.len - name.len - 1);
    if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
        value = oms_str_make(value.data + 1, value.len - 2);
    return value;
}

static bool is_utf8(struct oms_str charset)
{
    return oms_str_eq_nocase(charset, OMS_STR("utf-8")) || oms_str_eq_nocase(charset, OMS_STR("utf8"));
}

/* Section 12.4.2: "0.8" in thousandths. What is no quality says nothing: 1. */
static unsigned quality(struct oms_str text)
{
    unsigned value = 0, unit = QUALITY_MAX;
    for (size_t i = 0; i < text.len; i++) {
        if (i == 1 && text.data[i] == '.')
            continue;
        if (text.data[i] < '0' || text.data[i] > '9' || i > 4)
            return QUALITY_MAX;
        value += (unsigned)(text.data[i] - '0') * unit;
        unit /= 10;
    }
    return text.len == 0 || value > QUALITY_MAX ? QUALITY_MAX : value;
}

/* ---- what is accepted ---- */

static const struct {
    const char *type, *family;
} ours[] = {
    [API_MEDIA_JSON] = {"application/json", "application/*"},
    [API_MEDIA_GRAPHQL_RESPONSE] = {"application/graphql-response+json", "application/*"},
    [API_MEDIA_EVENT_STREAM] = {"text/event-stream", "text/*"},
};

/* What the header says of one type: the most specific range that fits it counts. */
struct fit {
    unsigned rank; /* 0: no range fits; 1: all types; 2: all of its family; 3: the type itself */
    unsigned quality;
};

static void take_range(struct oms_str range, struct fit fits[])
{
    struct oms_str type, piece;
    unsigned q = QUALITY_MAX;
    if (!next_piece(&range, ';', &type))
        return;
    while (next_piece(&range, ';', &piece)) {
        struct oms_str value = parameter(piece, OMS_STR("q"));
        if (oms_str_present(value))
            q = quality(value);
        value = parameter(piece, OMS_STR("charset"));
        if (oms_str_present(value) && !is_utf8(value))
            return; /* all that we send is UTF-8 */
    }
    for (unsigned i = API_MEDIA_JSON; i < OMS_COUNT_OF(ours); i++) {
        unsigned rank = oms_str_eq_nocase(type, oms_str_of(ours[i].type))     ? 3
                        : oms_str_eq_nocase(type, oms_str_of(ours[i].family)) ? 2
                        : oms_str_eq_c(type, "*/*")                           ? 1
                                                                              : 0;
        if (rank > fits[i].rank || (rank && rank == fits[i].rank && q > fits[i].quality))
            fits[i] = (struct fit){rank, q};
    }
}

/* A range for all types does not ask for a stream that may never end. */
static bool asks_stream(const struct fit *fit)
{
    return fit->rank >= 2 && fit->quality > 0;
}

static enum api_media choose(const struct fit fits[])
{
    const struct fit *json = &fits[API_MEDIA_JSON], *graphql = &fits[API_MEDIA_GRAPHQL_RESPONSE];
    const struct fit *stream = &fits[API_MEDIA_EVENT_STREAM];
    enum api_media best = API_MEDIA_NONE;
    unsigned quality_best = 0;
    if (json->quality > 0) {
        best = API_MEDIA_JSON;
        quality_best = json->quality;
    }
    if (graphql->quality > quality_best ||
        (graphql->quality > 0 && graphql->quality == quality_best && graphql->rank == 3)) {
        best = API_MEDIA_GRAPHQL_RESPONSE;
        quality_best = graphql->quality;
    }
    return asks_stream(stream) && stream->quality > quality_best ? API_MEDIA_EVENT_STREAM : best;
}

struct api_accepted api_negotiate(struct oms_str accept)
{
    struct fit fits[OMS_COUNT_OF(ours)] = {{0}};
    struct oms_str range;
    /* What most clients send, told apart by a length. */
    if (accept.len == 0 || oms_str_eq_c(accept, "*/*") || oms_str_eq_c(accept, "application/json"))
        return (struct api_accepted){API_MEDIA_JSON, false};
    while (next_piece(&accept, ',', &range))
        take_range(range, fits);
    return (struct api_accepted){choose(fits), asks_stream(&fits[API_MEDIA_EVENT_STREAM])};
}

/* ---- what is sent ---- */

const char *api_media_type(enum api_media media)
{
    return media == API_MEDIA_GRAPHQL_RESPONSE ? "application/graphql-response+json; charset=utf-8"
                                               : "application/json; charset=utf-8";
}

enum api_body_type api_body_type(struct oms_str content_type)
{
    struct oms_str type, piece, charset;
    if (oms_str_eq_c(content_type, "application/json"))
        return API_BODY_JSON;
    if (!oms_str_present(content_type) || !next_piece(&content_type, ';', &type) ||
        !oms_str_eq_nocase(type, OMS_STR("application/json")))
        return API_BODY_OTHER;
    while (next_piece(&content_type, ';', &piece)) {
        charset = parameter(piece, OMS_STR("charset"));
        if (oms_str_present(charset) && !is_utf8(charset))
            return API_BODY_CHARSET;
    }
    return API_BODY_JSON;
}
