/* Finds operations by name or by trait. */
/* SPDX-License-Identifier: MIT */
#include "ops/registry.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "ops/op.h"

#include <string.h>

#define DECLARE(op) extern const rv_op rv_op_##op;
RV_OPS(DECLARE)
#undef DECLARE

#define ENTRY(op) &rv_op_##op,
static const rv_op *const ops[] = {RV_OPS(ENTRY)};
#undef ENTRY

enum { N_OPS = sizeof ops / sizeof ops[0] };

const rv_op *const *rv_op_list(size_t *n)
{
    *n = N_OPS;
    return ops;
}

const rv_op *rv_op_with(uint32_t traits)
{
    for (size_t i = 0; i < N_OPS; i++) {
        if ((ops[i]->traits & traits) == traits) {
            return ops[i];
        }
    }
    return NULL;
}

rv_status rv_op_find(const rv_op **out, const char *name, const char *node)
{
    *out = NULL;
    const char *names[N_OPS];
    for (size_t i = 0; i < N_OPS; i++) {
        names[i] = ops[i]->name;
        if (strcmp(names[i], name) == 0) {
            *out = ops[i];
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_UNSUPPORTED, "'%s': there is no operation '%s'; the nearest is '%s'",
                   node, name, names[rv_nearest(name, names, N_OPS)]);
}

rv_status rv_node_private(rv_node *n, size_t bytes)
{
    return rv_alloc(&n->priv, 1, bytes, n->name);
}
