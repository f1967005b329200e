/* docs/methods.md names every operation, optimiser, schedule, initialiser and transform that there is. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "base/text.h"
#include "dataset/recipe.h"
#include "graph/init.h"
#include "ops/op.h"
#include "optim/schedule.h"
#include "optim/update.h"
#include "support/assert.h"

#include <stdlib.h>

static char *text;

static void read_page(void)
{
    rv_bytes page;
    RV_ASSERT_OK(rv_bytes_open(&page, "docs/methods.md", 0));
    text = calloc(page.size + 1, 1);
    cr_assert_not_null(text);
    memcpy(text, page.data, page.size);
    rv_bytes_close(&page);
}

static void forget_page(void)
{
    free(text);
}

TestSuite(methods, .init = read_page, .fini = forget_page);

static void expect(const char *name)
{
    char *quoted;
    RV_ASSERT_OK(rv_format(&quoted, "`%s`", name));
    cr_assert(strstr(text, quoted) != NULL, "docs/methods.md says nothing of %s", quoted);
    free(quoted);
}

Test(methods, the_page_names_each)
{
    size_t n;
    const rv_op *const *ops = rv_op_list(&n);
    for (size_t i = 0; i < n; i++) {
        expect(ops[i]->name);
    }
    for (int i = 0; i < RV_METHODS; i++) {
        expect(rv_method_name(i));
    }
    for (int i = 0; i < RV_RATES; i++) {
        expect(rv_rate_name(i));
    }
    for (size_t i = 0; i < rv_n_transforms; i++) {
        expect(rv_transforms[i].name);
    }
}

/* Those that the page gives as examples are read, too. */
Test(methods, initialisers_on_the_page_are_known)
{
    static const char *const names[] = {"he",
                                        "xavier",
                                        "glorot",
                                        "lecun",
                                        "he-uniform",
                                        "xavier-normal-tanh",
                                        "he-out-truncated",
                                        "truncated-0.1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        rv_initializer by;
        expect(names[i]);
        RV_ASSERT_OK(rv_initializer_find(&by, names[i]));
    }
}
