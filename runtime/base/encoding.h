/* Bytes as text: hex, base64url (RFC 4648 section 5, no padding), base64 (section 4), Crockford's base 32. */
#ifndef OMS_BASE_ENCODING_H
#define OMS_BASE_ENCODING_H

#include <stdint.h>

#include "runtime/base/str.h"

struct oms_buf;

void oms_hex_encode(const void *data, size_t len, char *out /* 2 × len, no NUL */);
OMS_MUST_USE enum oms_status oms_hex_decode(struct oms_str text, void *out, size_t out_len /* exactly len/2 */);
void oms_base64url_encode(struct oms_buf *out, const void *data, size_t len);
/* Appends the bytes; refuses padding, foreign characters and non-zero trailing bits. */
OMS_MUST_USE enum oms_status oms_base64url_decode(struct oms_str text, struct oms_buf *out);
void oms_base64_encode(struct oms_buf *out, const void *data, size_t len);
OMS_MUST_USE enum oms_status oms_base64_decode(struct oms_str text, struct oms_buf *out);

/* 16 bytes, most significant first, as 26 characters of Crockford's alphabet (as a ULID is written). */
#define OMS_BASE32_ID_SIZE 26
void oms_base32_id_encode(const unsigned char id[16], char out[OMS_BASE32_ID_SIZE]);
/* Reads either case; refuses I, L, O, U, another length and a first character over 7. */
OMS_MUST_USE enum oms_status oms_base32_id_decode(struct oms_str text, unsigned char id[16]);

/* A ULID: 48 bits of milliseconds, 80 random bits (the two words given), most significant byte first. */
void oms_ulid_make(int64_t now_ms, uint64_t random_hi, uint64_t random_lo, unsigned char id[16]);

#endif
