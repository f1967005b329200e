/* SHA-256 against the examples of FIPS 180-4, and in pieces of every length. */
/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"
#include "support/assert.h"

#include <string.h>

TestSuite(sha256);

static void hash(char out[RV_SHA256_TEXT], const char *text, size_t n, size_t piece)
{
    rv_sha256 sha;
    rv_sha256_init(&sha);
    for (size_t at = 0; at < n; at += piece) {
        rv_sha256_add(&sha, text + at, n - at < piece ? n - at : piece);
    }
    rv_sha256_finish(&sha, out);
}

Test(sha256, the_examples_of_the_standard)
{
    static const struct {
        const char *text, *hash;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char out[RV_SHA256_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hash(out, cases[i].text, strlen(cases[i].text), 64);
        cr_expect_str_eq(out, cases[i].hash);
    }
}

Test(sha256, a_million_letters_in_pieces_of_any_length)
{
    static char letters[1000000];
    memset(letters, 'a', sizeof letters);
    static const size_t pieces[] = {1000000, 1, 63, 64, 65, 1000};
    char out[RV_SHA256_TEXT];
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        hash(out, letters, sizeof letters, pieces[i]);
        cr_expect_str_eq(out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
                         "pieces of %zu", pieces[i]);
    }
}
