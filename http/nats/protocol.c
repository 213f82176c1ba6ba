/* See protocol.h. */
#include "http/nats/protocol.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/encoding.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  (1000 * NS_PER_MS)

/* ---- subjects ---- */

static bool is_plain(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '.' && c != '*' && c != '>' && c != '%';
}

void nats_token_write(struct oms_buf *out, struct oms_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (is_plain(c))
            oms_buf_append_char(out, (char)c);
        else
            oms_buf_appendf(out, "%%%02X", c);
    }
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

struct oms_str nats_token_read(struct oms_str token, struct oms_arena *arena)
{
    char *text = oms_arena_alloc(arena, token.len + 1);
    size_t len = 0;

    if (!text)
        return OMS_STR_NONE;
    for (size_t i = 0; i < token.len; i++) {
        if (token.data[i] != '%') {
            text[len++] = token.data[i];
            continue;
        }
        int high = i + 2 < token.len ? digit(token.data[i + 1]) : -1;
        int low = high >= 0 ? digit(token.data[i + 2]) : -1;
        if (low < 0)
            return OMS_STR_NONE;
        text[len++] = (char)(high << 4 | low);
        i += 2;
    }
    text[len] = '\0';
    return oms_str_make(text, len);
}

static bool next_token(struct oms_str *rest, struct oms_str *token)
{
    if (!oms_str_present(*rest))
        return false;
    const char *dot = memchr(rest->data, '.', rest->len);
    size_t len = dot ? (size_t)(dot - rest->data) : rest->len;
    *token = oms_str_make(rest->data, len);
    *rest = dot ? oms_str_make(dot + 1, rest->len - len - 1) : OMS_STR_NONE;
    return true;
}

static bool is_place(struct oms_str token)
{
    return oms_str_eq_c(token, "{tenant}") || oms_str_eq_c(token, "{topic}");
}

void nats_filter_write(struct oms_buf *out, struct oms_str pattern)
{
    struct oms_str token;

    for (bool first = true; next_token(&pattern, &token); first = false) {
        if (!first)
            oms_buf_append_char(out, '.');
        oms_buf_append_str(out, is_place(token) ? OMS_STR("*") : token);
    }
}

bool nats_subject_match(struct oms_str pattern, struct oms_str subject, struct oms_arena *arena,
                        struct oms_str *tenant, struct oms_str *topic)
{
    struct oms_str wanted, token;

    *tenant = *topic = OMS_STR_NONE;
    while (next_token(&pattern, &wanted)) {
        if (!next_token(&subject, &token))
            return false;
        if (oms_str_eq_c(wanted, ">"))
            return true;
        if (is_place(wanted)) {
            struct oms_str text = nats_token_read(token, arena);

            if (!oms_str_present(text))
                return false;
            *(oms_str_eq_c(wanted, "{tenant}") ? tenant : topic) = text;
        } else if (!oms_str_eq_c(wanted, "*") && !oms_str_eq(wanted, token)) {
            return false;
        }
    }
    return !oms_str_present(subject);
}

static bool read_number(struct oms_str text, uint64_t *out)
{
    int64_t number;

    if (!text.len || oms_str_to_i64(text, &number) != OMS_OK || number < 0)
        return false;
    *out = (uint64_t)number;
    return true;
}

/*
 * $JS.ACK.stream.consumer.delivered.sequence.consumer-sequence.time.pending, or, since servers know domains,
 * with domain and account behind ACK and a random token at the end.
 */
bool nats_ack_place_read(struct oms_str reply, struct nats_ack_place *out)
{
    struct oms_str tokens[16], token, rest = reply;
    size_t count = 0;
    uint64_t ignored;

    while (count < OMS_COUNT_OF(tokens) && next_token(&rest, &token))
        tokens[count++] = token;
    if (oms_str_present(rest) || count < 9 || !oms_str_eq_c(tokens[0], "$JS") ||
        !oms_str_eq_c(tokens[1], "ACK"))
        return false;
    size_t at = count >= 11 ? 4 : 2; /* 11 or 12 tokens: behind domain and account */
    *out = (struct nats_ack_place){.stream = tokens[at], .consumer = tokens[at + 1]};
    return read_number(tokens[at + 2], &out->delivered) && read_number(tokens[at + 3], &out->sequence) &&
           read_number(tokens[at + 4], &ignored) && read_number(tokens[at + 5], &out->time_ns) &&
           read_number(tokens[at + 6], &out->pending);
}

/* ---- requests ---- */

void nats_stream_create_write(struct oms_buf *out, struct oms_str name, struct oms_str subject,
                              const struct http_nats_settings *settings)
{
    oms_buf_append_lit(out, "{\"name\":");
    oms_json_write_string(out, name);
    oms_buf_append_lit(out, ",\"subjects\":[");
    oms_json_write_string(out, subject);
    oms_buf_appendf(
        out,
        "],\"retention\":\"limits\",\"storage\":\"file\",\"discard\":\"old\",\"max_consumers\":-1,"
        "\"max_msgs\":-1,\"max_bytes\":%lld,\"max_age\":%llu,\"num_replicas\":%u,"
        "\"duplicate_window\":%llu}",
        settings->max_bytes ? (long long)settings->max_bytes : -1ll,
        (unsigned long long)(settings->max_age_hours * 3600 * NS_PER_S), settings->replicas,
        (unsigned long long)(settings->duplicate_window_s * NS_PER_S));
}

void nats_consumer_create_write(struct oms_buf *out, const struct http_nats_consume *consume,
                                struct oms_str filter)
{
    oms_buf_append_lit(out, "{\"stream_name\":");
    oms_json_write_string(out, consume->stream);
    oms_buf_append_lit(out, ",\"config\":{\"durable_name\":");
    oms_json_write_string(out, consume->durable);
    oms_buf_append_lit(out, ",\"filter_subject\":");
    oms_json_write_string(out, filter);
    oms_buf_appendf(out,
                    ",\"deliver_policy\":\"all\",\"ack_policy\":\"explicit\",\"ack_wait\":%llu,"
                    "\"max_deliver\":-1,\"max_ack_pending\":%u,\"replay_policy\":\"instant\"}}",
                    (unsigned long long)(OMS_NATS_ACK_WAIT_MS * NS_PER_MS), OMS_NATS_IN_FLIGHT_MAX);
}

void nats_pull_write(struct oms_buf *out, unsigned batch, uint64_t max_bytes, unsigned expires_ms)
{
    oms_buf_appendf(out, "{\"batch\":%u,\"max_bytes\":%llu,\"expires\":%llu}", batch,
                    (unsigned long long)max_bytes, (unsigned long long)(expires_ms * NS_PER_MS));
}

void nats_last_by_subject_write(struct oms_buf *out, struct oms_str subject)
{
    oms_buf_append_lit(out, "{\"last_by_subj\":");
    oms_json_write_string(out, subject);
    oms_buf_append_char(out, '}');
}

void nats_nak_write(struct oms_buf *out, unsigned delay_ms)
{
    oms_buf_appendf(out, "-NAK {\"delay\":%llu}", (unsigned long long)(delay_ms * NS_PER_MS));
}

/* ---- answers ---- */

static uint64_t number_at(const struct oms_value *object, const char *name)
{
    const struct oms_value *value = object ? oms_value_get_set(object, name) : NULL;
    uint64_t number;

    if (!value)
        return 0;
    if (value->kind == OMS_VALUE_INT)
        return value->integer > 0 ? (uint64_t)value->integer : 0;
    return value->kind == OMS_VALUE_NUMBER && read_number(value->text, &number) ? number : 0;
}

static struct oms_str text_at(const struct oms_value *object, const char *name)
{
    const struct oms_value *value = object ? oms_value_get_set(object, name) : NULL;

    return value && value->kind == OMS_VALUE_STRING ? value->text : OMS_STR_NONE;
}

static const struct oms_value *object_at(const struct oms_value *object, const char *name)
{
    const struct oms_value *value = oms_value_get_set(object, name);

    return value && value->kind == OMS_VALUE_OBJECT ? value : NULL;
}

/* The headers of a stored message are base64 in the answer. */
static void read_message(const struct oms_value *message, struct oms_arena *arena, struct nats_answer *out)
{
    struct oms_str encoded = text_at(message, "hdrs");
    struct oms_buf block;

    out->sequence = number_at(message, "seq");
    if (!encoded.len)
        return;
    oms_buf_init(&block, OMS_NATS_PAYLOAD_BYTES_MAX);
    if (oms_base64_decode(encoded, &block) == OMS_OK)
        out->last_id = oms_str_copy(arena, nats_header_find(oms_buf_str(&block), "Nats-Msg-Id"));
    oms_buf_fini(&block);
}

bool nats_answer_read(struct oms_str body, struct oms_arena *arena, struct nats_answer *out)
{
    struct oms_json_error fault;
    struct oms_value tree;

    *out = (struct nats_answer){0};
    if (!body.len || oms_json_parse(body, OMS_JSON_DEPTH_MAX, arena, &tree, &fault) != OMS_OK ||
        tree.kind != OMS_VALUE_OBJECT)
        return false;
    const struct oms_value *error = object_at(&tree, "error"), *state = object_at(&tree, "state"),
                           *config = object_at(&tree, "config"), *message = object_at(&tree, "message"),
                           *duplicate = oms_value_get_set(&tree, "duplicate");
    if (error) {
        out->error = (unsigned)number_at(error, "err_code");
        if (!out->error)
            out->error = (unsigned)number_at(error, "code");
        if (!out->error)
            out->error = 500;
        out->message = text_at(error, "description");
    }
    out->stream = text_at(&tree, "stream");
    out->sequence = number_at(&tree, "seq");
    out->duplicate = duplicate && duplicate->kind == OMS_VALUE_BOOL && duplicate->boolean;
    out->created = text_at(&tree, "created");
    out->first = number_at(state, "first_seq");
    out->last = number_at(state, "last_seq");
    out->filter = text_at(config, "filter_subject");
    if (message)
        read_message(message, arena, out);
    return true;
}

/* "NATS/1.0\r\nName: value\r\n…\r\n\r\n"; names count with their case. */
struct oms_str nats_header_find(struct oms_str block, const char *name)
{
    size_t len = strlen(name);

    while (block.len) {
        const char *end = memchr(block.data, '\n', block.len);
        struct oms_str line = oms_str_make(block.data, end ? (size_t)(end - block.data) : block.len);

        block = end ? oms_str_make(end + 1, block.len - line.len - 1) : OMS_STR_NONE;
        if (line.len > len && memcmp(line.data, name, len) == 0 && line.data[len] == ':')
            return oms_str_trim(oms_str_make(line.data + len + 1, line.len - len - 1));
    }
    return OMS_STR_NONE;
}
