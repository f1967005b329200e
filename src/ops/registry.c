/* Finds operations by name or by trait, and what many of them call. */
/* SPDX-License-Identifier: MIT */
#include "ops/registry.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "ops/op.h"

#include <string.h>

/* Every trait, joined by an operator. */
#define TRAITS(op)                                                                                 \
    (RV_OP_ELEMENTWISE op RV_OP_INPLACE op RV_OP_BWD_READS_INPUT op RV_OP_BWD_READS_OUTPUT op      \
         RV_OP_BWD_INPLACE op RV_OP_AFFINE_PER_CHANNEL op RV_OP_DRAWS op RV_OP_LOSS op             \
             RV_OP_REORDER op RV_OP_PARAMS_READ_INPUT op RV_OP_RECTIFIES op RV_OP_BWD_RECTIFIES op \
                 RV_OP_FOLDS op RV_OP_SELECTS op RV_OP_JOINS)
_Static_assert(TRAITS(|) == TRAITS(+), "two traits share a bit");

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

static rv_status fail_rank(const rv_node *n, const char *expected)
{
    char text[64];
    return rv_fail(RV_ERR_SHAPE, "'%s': %s takes %s, not %s", n->name, n->op->name, expected,
                   rv_shape_text(text, &n->in[0]->shape));
}

rv_status rv_node_takes_maps(const rv_node *n)
{
    return n->in[0]->shape.rank == 4 ? RV_OK : fail_rank(n, "N,C,H,W");
}

rv_status rv_node_takes_maps_or_vectors(const rv_node *n)
{
    const int32_t rank = n->in[0]->shape.rank;
    return rank == 2 || rank == 4 ? RV_OK : fail_rank(n, "N,C or N,C,H,W");
}
