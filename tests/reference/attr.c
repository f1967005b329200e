/* Reads attributes for the twins, which do not know the structs of src/ops. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include <assert.h>
#include <string.h>

double rv_twin_attr(const rv_reference *r, const char *name, int i)
{
    const rv_attr *row = r->node->op->attrs;
    while (row->name != NULL && strcmp(row->name, name) != 0) {
        row++;
    }
    assert(row->name != NULL && i < row->count);
    const char *at = (const char *)r->node->attrs + row->offset;
    return row->type == RV_ATTR_FLOAT ? (double)((const float *)(const void *)at)[i]
                                      : (double)((const int32_t *)(const void *)at)[i];
}
