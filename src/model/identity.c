/* Which weights a model has: the hash of its file, and a quick one of parts of it. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/system.h"
#include "model/internal.h"
#include "model/onnx.h"
#include "model/zoo.h"

rv_status rv_model_hash(const rv_model *model, char out[65], const rv_events *events)
{
    out[0] = '\0';
    if (model->onnx != NULL && model->onnx->n_external > 0) {
        return rv_fail(RV_ERR_USAGE, "%s has its weights in other files, such as %s: hash these",
                       model->file, model->onnx->external[0].name);
    }
    return model->file != NULL ? rv_zoo_hash(out, model->file, "hashing, MB", events)
                               : rv_fail(RV_ERR_USAGE, "%s has no file of weights", model->name);
}

rv_status rv_model_fingerprint(uint64_t *out, const rv_model *model)
{
    static const size_t step = (size_t)64 << 10, part = (size_t)4 << 10;
    rv_bytes bytes;
    *out = rv_hash(RV_HASH_START, &model->seed, sizeof model->seed);
    if (model->network != NULL) {
        const rv_preprocessing *p = &model->network->preprocessing;
        *out = rv_hash(*out, &p->bgr, sizeof p->bgr);
        *out = rv_hash(*out, &p->range, sizeof p->range);
        *out = rv_hash(*out, p->mean, sizeof p->mean);
        *out = rv_hash(*out, p->deviation, sizeof p->deviation);
    }
    if (model->file == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_bytes_open(&bytes, model->file, 0));
    *out = rv_hash(*out, &bytes.size, sizeof bytes.size);
    for (size_t at = 0; at < bytes.size; at += step) {
        const size_t left = bytes.size - at;
        *out = rv_hash(*out, bytes.data + at, left < part ? left : part);
    }
    rv_bytes_close(&bytes);
    return RV_OK;
}
