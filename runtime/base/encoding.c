/*
 * Bytes as text: hex, base64 and base64url (RFC 4648 sections 8, 4 and 5), Crockford's base 32 of 16-byte
 * ids.
 *
 * Decoders are strict (RFC 4648 sections 3.2 to 3.5): one text for each value, because tokens, cursors and
 * signatures are compared and cached as text. A decoder that refuses leaves the output buffer as it was.
 */
#include "runtime/base/encoding.h"

#include <endian.h>
#include <string.h>

#include "runtime/base/assert.h"
#include "runtime/base/buf.h"

#define REFUSED 0xff

/* ---- hex ---- */

void oms_hex_encode(const void *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = data;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[at[i] >> 4];
        out[2 * i + 1] = digits[at[i] & 15];
    }
}

static unsigned hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : REFUSED;
}

enum oms_status oms_hex_decode(struct oms_str text, void *out, size_t out_len)
{
    unsigned char *bytes = out;
    if (text.len % 2 || text.len / 2 != out_len)
        return OMS_INVALID;
    for (size_t i = 0; i < out_len; i++) {
        unsigned high = hex_digit(text.data[2 * i]);
        unsigned low = hex_digit(text.data[2 * i + 1]);
        if (high == REFUSED || low == REFUSED)
            return OMS_INVALID;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return OMS_OK;
}

/* ---- base64 ---- */

#define BASE64_COMMON "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
static const char base64_alphabet[] = BASE64_COMMON "+/";
static const char base64url_alphabet[] = BASE64_COMMON "-_";

static void base64_encode(struct oms_buf *out, const unsigned char *in, size_t len, const char *alphabet,
                          bool pad)
{
    size_t rest = len % 3;
    if (len == 0)
        return;
    if (len / 3 > SIZE_MAX / 4 - 1 ||
        !oms_buf_reserve(out, len / 3 * 4 + (rest ? (pad ? 4 : rest + 1) : 0))) {
        out->overflow = true;
        return;
    }
    char *at = out->data + out->len;
    for (size_t i = 0; i + 3 <= len; i += 3) {
        uint32_t group = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
        *at++ = alphabet[group >> 18];
        *at++ = alphabet[group >> 12 & 63];
        *at++ = alphabet[group >> 6 & 63];
        *at++ = alphabet[group & 63];
    }
    if (rest) {
        uint32_t group = (uint32_t)in[len - rest] << 16 | (rest == 2 ? (uint32_t)in[len - 1] << 8 : 0);
        *at++ = alphabet[group >> 18];
        *at++ = alphabet[group >> 12 & 63];
        if (rest == 2)
            *at++ = alphabet[group >> 6 & 63];
        for (size_t i = rest; pad && i < 3; i++)
            *at++ = '=';
    }
    out->len = (size_t)(at - out->data);
}

static unsigned base64_digit(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : REFUSED;
}

/* `text` without padding. */
static enum oms_status base64_decode(struct oms_str text, struct oms_buf *out, const char *alphabet)
{
    size_t rest = text.len % 4;
    if (rest == 1)
        return OMS_INVALID;
    if (!oms_buf_reserve(out, text.len / 4 * 3 + (rest ? rest - 1 : 0)))
        return OMS_LIMIT;
    size_t len = out->len; /* kept until all is well, so that a refusal leaves the buffer as it was */
    uint32_t group = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = base64_digit(text.data[i], alphabet);
        if (digit == REFUSED)
            return OMS_INVALID;
        group = group << 6 | digit;
        if (i % 4 == 3) {
            out->data[len++] = (char)(group >> 16);
            out->data[len++] = (char)(group >> 8);
            out->data[len++] = (char)group;
            group = 0;
        }
    }
    if ((rest == 2 && group & 15) || (rest == 3 && group & 3))
        return OMS_INVALID;
    if (rest == 2) {
        out->data[len++] = (char)(group >> 4);
    } else if (rest == 3) {
        out->data[len++] = (char)(group >> 10);
        out->data[len++] = (char)(group >> 2);
    }
    out->len = len;
    return OMS_OK;
}

void oms_base64url_encode(struct oms_buf *out, const void *data, size_t len)
{
    base64_encode(out, data, len, base64url_alphabet, false);
}

enum oms_status oms_base64url_decode(struct oms_str text, struct oms_buf *out)
{
    return base64_decode(text, out, base64url_alphabet);
}

void oms_base64_encode(struct oms_buf *out, const void *data, size_t len)
{
    base64_encode(out, data, len, base64_alphabet, true);
}

enum oms_status oms_base64_decode(struct oms_str text, struct oms_buf *out)
{
    if (text.len % 4)
        return OMS_INVALID;
    for (int i = 0; i < 2 && text.len && text.data[text.len - 1] == '='; i++)
        text.len--;
    return base64_decode(text, out, base64_alphabet);
}

/* ---- Crockford's base 32 and ULIDs ---- */

static const char base32_alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* A digit's value and one; 0 for what is no digit. */
static const unsigned char base32_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    ['G'] = 17, ['H'] = 18, ['J'] = 19, ['K'] = 20, ['M'] = 21, ['N'] = 22, ['P'] = 23, ['Q'] = 24,
    ['R'] = 25, ['S'] = 26, ['T'] = 27, ['V'] = 28, ['W'] = 29, ['X'] = 30, ['Y'] = 31, ['Z'] = 32,
    ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['g'] = 17, ['h'] = 18,
    ['j'] = 19, ['k'] = 20, ['m'] = 21, ['n'] = 22, ['p'] = 23, ['q'] = 24, ['r'] = 25, ['s'] = 26,
    ['t'] = 27, ['v'] = 28, ['w'] = 29, ['x'] = 30, ['y'] = 31, ['z'] = 32,
};

static uint64_t load_be64(const unsigned char *in)
{
    uint64_t value;
    memcpy(&value, in, sizeof(value));
    return be64toh(value);
}

static void store_be64(unsigned char *out, uint64_t value)
{
    value = htobe64(value);
    memcpy(out, &value, sizeof(value));
}

/*
 * 26 digits hold 130 bits, the first one only three of its five. Both ways take the digits in two runs that
 * fit a word: the first 13 are bits 127 to 65, the last 12 bits 59 to 0, and the one between lies across.
 */
#define BASE32_RUN 13

void oms_base32_id_encode(const unsigned char id[16], char out[OMS_BASE32_ID_SIZE])
{
    uint64_t high = load_be64(id);
    uint64_t low = load_be64(id + 8);
    uint64_t first = high >> 1;
    for (int i = BASE32_RUN - 1; i >= 0; i--, first >>= 5)
        out[i] = base32_alphabet[first & 31];
    for (int i = OMS_BASE32_ID_SIZE - 1; i > BASE32_RUN; i--, low >>= 5)
        out[i] = base32_alphabet[low & 31];
    out[BASE32_RUN] = base32_alphabet[(high & 1) << 4 | low];
}

static bool base32_run(const unsigned char *text, int count, uint64_t *out)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++) {
        unsigned digit = base32_values[text[i]];
        if (!digit)
            return false;
        value = value << 5 | (digit - 1);
    }
    *out = value;
    return true;
}

enum oms_status oms_base32_id_decode(struct oms_str text, unsigned char id[16])
{
    const unsigned char *in = (const unsigned char *)text.data;
    uint64_t first, middle, last;
    if (text.len != OMS_BASE32_ID_SIZE || !base32_run(in, BASE32_RUN, &first) || first >> 63 ||
        !base32_run(in + BASE32_RUN, 1, &middle) || !base32_run(in + BASE32_RUN + 1, 12, &last))
        return OMS_INVALID;
    store_be64(id, first << 1 | middle >> 4);
    store_be64(id + 8, middle << 60 | last);
    return OMS_OK;
}

void oms_ulid_make(int64_t now_ms, uint64_t random_hi, uint64_t random_lo, unsigned char id[16])
{
    OMS_ASSERT(now_ms >= 0 && now_ms >> 48 == 0);
    store_be64(id, (uint64_t)now_ms << 16 | (random_hi & 0xffff));
    store_be64(id + 8, random_lo);
}
