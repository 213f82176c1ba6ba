/* OpenSSL set-up; what fails is reported with the file that it was in, never with key material. */
#include "http/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

/* RFC 7301: the server's order decides. Without a match the handshake goes on without ALPN, that is HTTP/1.1.
 */
static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static enum oms_status refuse(struct oms_error *error, const char *what, const char *file)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    if (access(file, R_OK) != 0) {
        enum oms_status status = errno == ENOENT ? OMS_NOT_FOUND : OMS_DENIED;
        oms_error_set(error, status, "cannot read the %s '%s': %s", what, file, strerror(errno));
    } else {
        oms_error_set(error, OMS_INVALID, "the %s '%s' is not usable: %s", what, file,
                      reason ? reason : "not in PEM format");
    }
    ERR_clear_error();
    return error ? error->status : OMS_INVALID;
}

enum oms_status http_tls_create(const char *cert_file, const char *key_file, struct ssl_ctx_st **out,
                                struct oms_error *error)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context)
        return oms_error_set(error, OMS_IO, "cannot set up TLS");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_alpn_select_cb(context, select_protocol, NULL);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"liteoms", 7);

    enum oms_status status = OMS_OK;
    if (SSL_CTX_set_cipher_list(context, CIPHERS) != 1)
        status = oms_error_set(error, OMS_IO,
                               "this OpenSSL has none of the TLS 1.2 cipher suites that HTTP/2 allows");
    else if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
        status = refuse(error, "certificate", cert_file);
    else if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
        status = refuse(error, "key", key_file);
    else if (SSL_CTX_check_private_key(context) != 1)
        status = oms_error_set(error, OMS_INVALID, "the key '%s' does not belong to the certificate '%s'",
                               key_file, cert_file);
    if (status != OMS_OK) {
        SSL_CTX_free(context);
        return status;
    }
    *out = context;
    return OMS_OK;
}

void http_tls_destroy(struct ssl_ctx_st *context)
{
    SSL_CTX_free(context);
}
