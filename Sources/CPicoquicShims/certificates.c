#include "CPicoquicShims.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <picotls.h>
#include <picotls/openssl.h>

// Refuses to ask for a pass phrase: nobody may be there to type one.
static int no_pass_phrase(char *buffer, int size, int is_writing, void *context) {
    (void)buffer;
    (void)size;
    (void)is_writing;
    (void)context;
    return -1;
}

static X509 *read_certificate(const char *file) {
    BIO *bio = BIO_new_file(file, "r");
    X509 *certificate = NULL;
    if (bio != NULL) {
        certificate = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL);
        BIO_free(bio);
    }
    return certificate;
}

static EVP_PKEY *read_key(const char *file) {
    BIO *bio = BIO_new_file(file, "r");
    EVP_PKEY *key = NULL;
    if (bio != NULL) {
        key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
        BIO_free(bio);
    }
    return key;
}

int cpq_check_credentials(const char *certificate_file, const char *key_file) {
    int outcome = CPQ_CREDENTIALS_OK;
    X509 *certificate = read_certificate(certificate_file);
    EVP_PKEY *key = read_key(key_file);
    if (certificate == NULL) {
        outcome = CPQ_CERTIFICATE_UNREADABLE;
    } else if (key == NULL) {
        outcome = CPQ_KEY_UNREADABLE;
    } else if (X509_check_private_key(certificate, key) != 1) {
        outcome = CPQ_CREDENTIALS_MISMATCH;
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return outcome;
}

int cpq_has_certificates(const char *file) {
    X509 *certificate = read_certificate(file);
    int outcome = certificate != NULL;
    X509_free(certificate);
    ERR_clear_error();
    return outcome;
}

static int add_extension(X509 *certificate, int nid, const char *value) {
    X509V3_CTX context;
    X509_EXTENSION *extension;
    int outcome;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension == NULL) {
        return 0;
    }
    outcome = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return outcome;
}

static char *take_text(BIO *bio) {
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);
    char *text = NULL;
    if (length > 0 && (text = malloc((size_t)length + 1)) != NULL) {
        memcpy(text, data, (size_t)length);
        text[length] = 0;
    }
    return text;
}

static int fill_certificate(X509 *certificate, EVP_PKEY *key, int days, const char *common_name,
                            const char *alternative_names) {
    unsigned char serial[8];
    X509_NAME *name = X509_get_subject_name(certificate);
    BIGNUM *number = NULL;
    int outcome = 0;
    if (RAND_bytes(serial, sizeof(serial)) != 1) {
        return 0;
    }
    serial[0] &= 0x7f;
    serial[7] |= 1;
    number = BN_bin2bn(serial, sizeof(serial), NULL);
    outcome = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL &&
              X509_set_version(certificate, 2) == 1 &&
              // A little before now, for clocks that lag behind ours.
              X509_gmtime_adj(X509_getm_notBefore(certificate), -300) != NULL &&
              X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days * 86400 - 300) != NULL &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) ==
                  1 &&
              X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
              add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") == 1 &&
              add_extension(certificate, NID_key_usage, "critical,digitalSignature") == 1 &&
              add_extension(certificate, NID_ext_key_usage, "serverAuth") == 1 &&
              add_extension(certificate, NID_subject_alt_name, alternative_names) == 1 &&
              X509_sign(certificate, key, EVP_sha256()) > 0;
    BN_free(number);
    return outcome;
}

int cpq_make_self_signed(int days, const char *common_name, const char *alternative_names, char **certificate,
                         char **key, uint8_t sha256[32]) {
    unsigned int length = 0;
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    BIO *certificate_text = BIO_new(BIO_s_mem());
    BIO *key_text = BIO_new(BIO_s_mem());
    int is_made = pair != NULL && x509 != NULL && certificate_text != NULL && key_text != NULL && days > 0 &&
                  days < 36500 && fill_certificate(x509, pair, days, common_name, alternative_names) &&
                  PEM_write_bio_X509(certificate_text, x509) == 1 &&
                  PEM_write_bio_PrivateKey(key_text, pair, NULL, NULL, 0, NULL, NULL) == 1 &&
                  X509_digest(x509, EVP_sha256(), digest, &length) == 1 && length == 32;
    *certificate = NULL;
    *key = NULL;
    if (is_made) {
        memcpy(sha256, digest, 32);
        *certificate = take_text(certificate_text);
        *key = take_text(key_text);
        if (*certificate == NULL || *key == NULL) {
            cpq_free_text(*certificate);
            cpq_free_text(*key);
            *certificate = NULL;
            *key = NULL;
            is_made = 0;
        }
    }
    BIO_free(certificate_text);
    BIO_free(key_text);
    X509_free(x509);
    EVP_PKEY_free(pair);
    ERR_clear_error();
    return is_made ? 0 : -1;
}

void cpq_free_text(char *text) {
    if (text != NULL) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
}

int cpq_certificate_digest(const void *pem, size_t count, uint8_t sha256[32]) {
    unsigned int length = 0;
    unsigned char digest[EVP_MAX_MD_SIZE];
    BIO *bio = count > INT_MAX ? NULL : BIO_new_mem_buf(pem, (int)count);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL);
    int outcome = -1;
    if (certificate != NULL && X509_digest(certificate, EVP_sha256(), digest, &length) == 1 && length == 32) {
        memcpy(sha256, digest, 32);
        outcome = 0;
    }
    X509_free(certificate);
    BIO_free(bio);
    ERR_clear_error();
    return outcome;
}

// The verifier of one context: the one of picotls, whose verdict on the chain is overridden here. What it does after
// that, checking that the peer's signature was made with the certificate's key, happens in every mode.
typedef struct cpq_verifier {
    ptls_openssl_verify_certificate_t base;
    ptls_openssl_override_verify_certificate_t verdict;
    int mode;
    size_t digest_count;
    uint8_t digests[];
} cpq_verifier;

static int matches_pin(const cpq_verifier *verifier, X509 *certificate) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (X509_digest(certificate, EVP_sha256(), digest, &length) != 1 || length != 32) {
        return 0;
    }
    for (size_t i = 0; i < verifier->digest_count; i++) {
        if (memcmp(verifier->digests + 32 * i, digest, 32) == 0) {
            return 1;
        }
    }
    return 0;
}

static int judge(ptls_openssl_override_verify_certificate_t *self, ptls_t *tls, int verdict, int x509_error,
                 X509 *certificate, STACK_OF(X509) * chain) {
    const cpq_verifier *verifier =
        (const cpq_verifier *)((const char *)self - offsetof(cpq_verifier, verdict));
    (void)tls;
    (void)chain;
    if (certificate == NULL) {
        return verdict != 0 ? verdict : PTLS_ALERT_CERTIFICATE_REQUIRED;
    }
    switch (verifier->mode) {
    case CPQ_VERIFY_NOTHING:
        return 0;
    case CPQ_VERIFY_PINNED:
        return matches_pin(verifier, certificate) ? 0 : PTLS_ALERT_BAD_CERTIFICATE;
    default:
        break;
    }
    // Alerts that say more than "unknown".
    switch (x509_error) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return verdict != 0 ? PTLS_ALERT_UNKNOWN_CA : 0;
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return verdict != 0 ? PTLS_ALERT_BAD_CERTIFICATE : 0;
    default:
        return verdict;
    }
}

static void dispose_verifier(ptls_verify_certificate_t *verifier) {
    ptls_openssl_dispose_verify_certificate((ptls_openssl_verify_certificate_t *)verifier);
    free(verifier);
}

int cpq_install_verifier(picoquic_quic_t *quic, int mode, const char *ca_file, const uint8_t *digests,
                         size_t digest_count) {
    X509_STORE *store = X509_STORE_new();
    cpq_verifier *verifier = NULL;
    int is_ready = store != NULL;
    if (is_ready && mode == CPQ_VERIFY_SYSTEM) {
        is_ready = X509_STORE_set_default_paths(store) == 1;
    } else if (is_ready && mode == CPQ_VERIFY_FILE) {
        is_ready = ca_file != NULL && X509_STORE_load_locations(store, ca_file, NULL) == 1;
    }
    if (is_ready && digest_count <= 4096) {
        verifier = calloc(1, sizeof(*verifier) + 32 * digest_count);
    }
    if (verifier != NULL) {
        if (ptls_openssl_init_verify_certificate(&verifier->base, store) != 0) {
            free(verifier);
            verifier = NULL;
        }
    }
    X509_STORE_free(store);
    ERR_clear_error();
    if (verifier == NULL) {
        return -1;
    }
    verifier->mode = mode;
    verifier->digest_count = digest_count;
    if (digest_count > 0) {
        memcpy(verifier->digests, digests, 32 * digest_count);
    }
    verifier->verdict.cb = judge;
    verifier->base.override_callback = &verifier->verdict;
    picoquic_set_verify_certificate_callback(quic, &verifier->base.super, dispose_verifier);
    return 0;
}
