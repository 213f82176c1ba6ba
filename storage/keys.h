/* Keys of the derived families. Big endian, so that bytes sort as numbers. */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "runtime/base/wire.h"
#include "runtime/message.h"

/* tenant (4) kind (1) key (16): an actor's key in STORE_STATE and the prefix of ASIDE and TIMELINE. */
#define STORE_ADDRESS_KEY_SIZE 21

static inline void store_address_key(const struct rt_address *address,
                                     unsigned char out[STORE_ADDRESS_KEY_SIZE])
{
    oms_put_be32(out, address->tenant);
    out[4] = (unsigned char)address->kind;
    memcpy(out + 5, address->key, 16);
}

/* The actor's key, commit (8): a wrapped key beside the log. */
#define STORE_SEAL_KEY_SIZE (STORE_ADDRESS_KEY_SIZE + 8)

static inline void store_seal_key(const struct rt_address *address, uint64_t commit,
                                  unsigned char out[STORE_SEAL_KEY_SIZE])
{
    store_address_key(address, out);
    oms_put_be64(out + STORE_ADDRESS_KEY_SIZE, commit);
}

static inline void store_address_read(const unsigned char in[STORE_ADDRESS_KEY_SIZE], struct rt_address *out)
{
    memset(out, 0, sizeof(*out));
    out->tenant = oms_get_be32(in);
    out->kind = in[4];
    memcpy(out->key, in + 5, 16);
}

#endif
