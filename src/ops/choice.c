/* What the tuning table of a device says of a node: its key there, and the algorithm it names. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *rv_pass_name(rv_pass pass)
{
    static const char *const names[RV_PASSES] = {"forward", "backward_data", "backward_weights"};
    return names[pass];
}

/* " 1x64x2^18 blocked": pictures and channels as they are. */
static void append_tensor(rv_text *text, const rv_tensor *t)
{
    char shape[64];
    const int32_t *d = t->shape.dim;
    const char *layout = t->layout == RV_BLOCKED ? "blocked" : "plain";
    if (t->shape.rank < 4) {
        rv_text_append(text, " %s %s", rv_shape_text(shape, &t->shape), layout);
    } else {
        rv_text_append(text, " %dx%dx2^%.0f %s", (int)d[0], (int)d[1],
                       round(log2((double)d[2] * (double)d[3])), layout);
    }
}

rv_status rv_node_key(char **out, const rv_node *n, rv_pass pass)
{
    rv_text text = {0};
    *out = NULL;
    rv_text_append(&text, "%s %s%s", n->op->name, rv_pass_name(pass),
                   n->mode == RV_TRAIN ? " train" : "");
    rv_attrs_describe(&text, n->attrs, n->op->attrs);
    for (int i = 0; i < n->n_in; i++) {
        append_tensor(&text, n->in[i]);
    }
    rv_text_append(&text, " ->");
    for (int i = 0; i < n->n_out; i++) {
        append_tensor(&text, n->out[i]);
    }
    const rv_status status = rv_text_status(&text);
    if (status != RV_OK) {
        rv_text_release(&text);
        return status;
    }
    *out = text.data;
    return RV_OK;
}

static rv_status choose(rv_node *n, rv_device *device, rv_pass pass)
{
    const char *names[RV_MAX_ALGORITHMS];
    char *key;
    const size_t count = n->op->algorithms(n, device, pass, names);
    if (count < 2) {
        return RV_OK;
    }
    RV_TRY(rv_node_key(&key, n, pass));
    const char *tuned = rv_tuning_choice(device, key);
    for (size_t i = 0; i < count && tuned != NULL; i++) {
        if (strcmp(names[i], tuned) == 0) {
            n->algorithm[pass] = names[i];
        }
    }
    free(key);
    return RV_OK;
}

rv_status rv_node_tuned(rv_node *n, rv_device *device)
{
    for (int pass = 0; pass < RV_PASSES && n->op->algorithms != NULL; pass++) {
        RV_TRY(choose(n, device, (rv_pass)pass));
    }
    return RV_OK;
}
