/* What a double-precision twin of an operation gets and gives. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_REFERENCE_H
#define RV_TESTS_REFERENCE_H

#include "ops/op.h"

/** Plain double arrays for one node. A twin is naive, independent of src/ops and cl/, and computes
 *  outputs (and new state) from inputs, parameters and state; it has no backward: gradients are
 *  checked by directional derivatives of it. */
typedef struct rv_reference {
    const rv_node *node; /**< attributes, mode and shapes */
    const double *in[RV_MAX_INPUTS];
    const double *param[RV_MAX_PARAMS]; /**< NULL where absent */
    double *state[RV_MAX_STATE];        /**< updated in train mode */
    double *out[4];
    uint32_t seed, step, stream; /**< for operations that draw numbers */
} rv_reference;

typedef void rv_twin(rv_reference *r);

/** Value `i` of the attribute `name` of the node, by the operation's table; an enum gives its index. */
double rv_twin_attr(const rv_reference *r, const char *name, int i);

#endif
